package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// process is a started program, which is stopped by its ID.
type process struct{ *exec.Cmd }

func startProcess(ctx context.Context, environment []string, program string, arguments ...string) (process, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = environment
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return process{}, fmt.Errorf("start %s: %w", program, err)
	}
	return process{command}, nil
}

func (p process) stop() {
	// It may have ended already, and its status no longer matters.
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait()
}

// residentBytes returns its resident memory with the program's pages: VmRSS of proc_pid_status(5).
func (p process) residentBytes() (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read a process's memory: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if size, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			var kilobytes int64
			_, err := fmt.Sscan(size, &kilobytes)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no VmRSS", p.Process.Pid)
}
