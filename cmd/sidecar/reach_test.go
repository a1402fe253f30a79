package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReachReportsWhetherTheAddressAnswers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if got := reached(t, "--address", address); got != "reached\n" {
		t.Errorf("with a listener: %q", got)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if got := reached(t, "--address", address); !strings.HasPrefix(got, "not reached: ") || !strings.Contains(got, "refused") {
		t.Errorf("without a listener: %q", got)
	}
}

// A container's termination message is an existing file that its user may only write.
func TestReachWritesToAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if printed := reached(t, "--address", "127.0.0.1:0", "--output", file); printed != "" {
		t.Errorf("printed %q", printed)
	}
	if got, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(got), "not reached: ") {
		t.Errorf("file = %q, error %v", got, err)
	}
}

func reached(t *testing.T, arguments ...string) string {
	t.Helper()
	var printed bytes.Buffer
	if err := run(t.Context(), append([]string{"reach"}, arguments...), &printed); err != nil {
		t.Fatal(err)
	}
	return printed.String()
}
