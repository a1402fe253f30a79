// Package program runs programs whose memory and processor time are measured.
package program

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Process is a started program, which is stopped by its ID.
type Process struct{ *exec.Cmd }

// Start starts a program in an environment. Its errors are printed on this process's own standard error.
func Start(ctx context.Context, environment []string, program string, arguments ...string) (Process, error) {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = environment
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return Process{}, fmt.Errorf("start %s: %w", program, err)
	}
	return Process{command}, nil
}

// Stop ends the process and waits for it.
func (p Process) Stop() {
	// It may have ended already, and its status no longer matters.
	_ = p.Process.Signal(syscall.SIGTERM)
	_ = p.Wait()
}

// ResidentBytes returns its resident memory with the program's pages: VmRSS of proc_pid_status(5).
func (p Process) ResidentBytes() (int64, error) { return p.memory("VmRSS:") }

// PeakBytes returns the most resident memory that it ever had: VmHWM of proc_pid_status(5).
func (p Process) PeakBytes() (int64, error) { return p.memory("VmHWM:") }

func (p Process) memory(field string) (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read a process's memory: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if size, found := strings.CutPrefix(lines.Text(), field); found {
			var kilobytes int64
			_, err := fmt.Sscan(size, &kilobytes)
			return kilobytes << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", p.Process.Pid, field)
}

// ticks is the unit of processor time in /proc: USER_HZ is 100 on all architectures that Go supports.
const ticks = 100

// CPU returns the processor time that it has used: utime and stime of proc_pid_stat(5).
func (p Process) CPU() (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read a process's processor time: %w", err)
	}
	// The program's name, in parentheses, may have blanks in it.
	_, after, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(after)
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, fmt.Errorf("process %d has no processor time", p.Process.Pid)
	}
	var used [2]int64
	for i, field := range []string{fields[user], fields[system]} {
		if _, err := fmt.Sscan(field, &used[i]); err != nil {
			return 0, fmt.Errorf("read a process's processor time: %w", err)
		}
	}
	return time.Duration(used[0]+used[1]) * time.Second / ticks, nil
}
