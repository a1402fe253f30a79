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

	"github.com/kube-imds/kube-imds/internal/testing/program"
)

// bareVariable passes a bare server's response body to this program's copy of itself.
const bareVariable = "KUBE_IMDS_BENCH_BARE"

// bare is the server that the sidecar is compared with: net/http and nothing else, in a separate process.
type bare struct {
	program.Process
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
	started := program.Process{Cmd: command}
	address, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		started.Stop()
		return nil, fmt.Errorf("start a bare server: %w", err)
	}
	// The same path and query, so that both parse the same.
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
		// Failed writes show in wrk's report.
		_, _ = w.Write(body)
	}))
}
