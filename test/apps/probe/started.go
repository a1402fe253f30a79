package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// install copies this program to a path, where another image's container finds it.
func install(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("install takes one path, got %d", len(arguments))
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	defer self.Close()
	copied, err := os.OpenFile(arguments[0], os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return fmt.Errorf("install this program: %w", err)
	}
	_, err = io.Copy(copied, self)
	return errors.Join(err, copied.Close())
}

// started prints its start time in milliseconds and executes another program: Kubernetes reports when a
// container started in seconds only.
func started(command []string) error {
	if len(command) == 0 {
		return errors.New("started takes a command")
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]int64{"started": time.Now().UnixMilli()}); err != nil {
		return err
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return fmt.Errorf("find the command: %w", err)
	}
	return syscall.Exec(path, command, os.Environ())
}
