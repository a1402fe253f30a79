package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
)

// awaitRead reads something as soon as somebody has written it.
func awaitRead(ctx context.Context, read func() (string, error)) (string, error) {
	for {
		content, err := read()
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusNotFound {
			return content, err
		}
		select {
		case <-ctx.Done():
			return content, err
		case <-time.After(2 * time.Second):
		}
	}
}

// show prints what was read, or what Azure's API says against that.
func show(what, content string, err error) error {
	if failed, ok := errors.AsType[*azcore.ResponseError](err); ok {
		fmt.Printf("%s cannot be read\n%v\n", what, failed)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read: %s: %w", what, err)
	}
	fmt.Printf("%s is %q\n", what, content)
	return nil
}
