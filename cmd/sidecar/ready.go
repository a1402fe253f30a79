package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// ready asks serve whether applications may start, and goes on asking, because serve is often just starting.
func ready(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet(settings.Ready, flag.ContinueOnError)
	address := flags.String("address", imdsAddress, "the `address` to ask serve at: by default on the way that applications take")
	wait := flags.Duration(settings.Wait, 800*time.Millisecond, "how long to go on asking")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *wait)
	defer cancel()
	// The environment may name a proxy, which must not be used.
	client := &http.Client{Transport: &http.Transport{}}
	for {
		err := askReady(ctx, client, "http://"+*address+readyPath)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func askReady(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask serve: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		reason, _ := io.ReadAll(io.LimitReader(response.Body, 256))
		return errors.New("not ready: " + string(reason))
	}
	return nil
}
