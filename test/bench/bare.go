package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

// bareVariable carries the body that a bare server answers with, to this program's own copy of itself.
const bareVariable = "KUBE_IMDS_BENCH_BARE"

// bare is what the sidecar is measured against: net/http and nothing else, in a process of its own.
type bare struct {
	process
	url string
}

func startBare(ctx context.Context, sidecar *sidecar) (*bare, error) {
	body, err := sidecar.token(ctx)
	if err != nil {
		return nil, err
	}
	itself, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	command := exec.CommandContext(ctx, itself)
	command.Env = append(os.Environ(), bareVariable+"="+string(body))
	command.Stdout, command.Stderr = writer, os.Stderr
	err = command.Start()
	writer.Close() // so that the reader ends when the server does
	if err != nil {
		return nil, fmt.Errorf("start a bare server: %w", err)
	}
	started := process{command}
	address, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		started.stop()
		return nil, fmt.Errorf("start a bare server: %w", err)
	}
	// The same path and query, so that the same is parsed.
	_, path, _ := strings.Cut(sidecar.tokenURL(), sidecar.address)
	return &bare{started, "http://" + strings.TrimSpace(address) + path}, nil
}

// serveBare answers every request with the same bytes, as the sidecar does.
func serveBare() error {
	body := []byte(os.Getenv(bareVariable))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "IMDS/150.870.65.1854")
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		// What cannot be written shows in wrk's report.
		_, _ = w.Write(body)
	}))
}
