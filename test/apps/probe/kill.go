package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// kill sends SIGKILL to the processes of a program. It sees those of other containers if the pod's containers share
// a process namespace, and may kill them as the same user.
func kill(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("kill takes one program, got %d", len(arguments))
	}
	processes, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return fmt.Errorf("list the processes: %w", err)
	}
	killed := 0
	for _, path := range processes {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != arguments[0] {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return fmt.Errorf("read the process ID of %s: %w", path, err)
		}
		if err := syscall.Kill(id, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill process %d: %w", id, err)
		}
		killed++
	}
	if killed == 0 {
		return fmt.Errorf("no process of this pod is %s", arguments[0])
	}
	return nil
}
