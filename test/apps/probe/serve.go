package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// serve runs an application: an HTTP server that answers all requests with "the application".
func serve(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("serve takes one address, got %d", len(arguments))
	}
	listener, err := listenOn(arguments[0])
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "probe")
		_, _ = io.WriteString(w, "the application\n")
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
