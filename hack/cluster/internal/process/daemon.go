// Package process starts a cluster's daemons, remembers them, and stops them: those that it started and no others.
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Daemon is a program that runs until it is stopped.
type Daemon struct {
	// Name tells the cluster's daemons apart.
	Name string

	// Namespace is the network namespace that it runs in; empty for the machine's own.
	Namespace string

	// Command is the program, by its absolute path, and its arguments.
	Command []string

	// Ready tells whether it does its work yet: nil once it does.
	Ready func(context.Context) error
}

// Supervisor starts and stops daemons.
type Supervisor struct {
	// Launcher is the program whose subcommand "launch" enters a control group and a network namespace.
	Launcher string

	// Cgroup is the control group of every daemon.
	Cgroup string

	// Folder is where process records and logs are kept.
	Folder string
}

// record is what is kept of a started process. The start time tells it from a later one with the same ID.
type record struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// LogPath is where a daemon's output goes.
func (s Supervisor) LogPath(name string) string { return filepath.Join(s.Folder, name+".log") }

func (s Supervisor) recordPath(name string) string { return filepath.Join(s.Folder, name+".json") }

// Running is the process ID of a daemon, or 0.
func (s Supervisor) Running(name string) int {
	content, err := os.ReadFile(s.recordPath(name))
	if err != nil {
		return 0
	}
	var record record
	if json.Unmarshal(content, &record) != nil || record.Started == "" || startTime(record.PID) != record.Started {
		return 0
	}
	return record.PID
}

// Start starts a daemon, unless it runs, and waits until it is ready. It fails as soon as the daemon ends.
func (s Supervisor) Start(ctx context.Context, daemon Daemon, deadline time.Duration) error {
	pid := s.Running(daemon.Name)
	if pid == 0 {
		var err error
		if pid, err = s.launch(daemon); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := daemon.Ready(ctx)
		if err == nil {
			return nil
		}
		if s.Running(daemon.Name) != pid {
			return s.failure(daemon.Name, errors.New("it ended"))
		}
		select {
		case <-ctx.Done():
			return s.failure(daemon.Name, fmt.Errorf("it is not ready after %s: %w", deadline, err))
		case <-ticker.C:
		}
	}
}

// launch starts the daemon in a session of its own, so that it outlives this program.
func (s Supervisor) launch(daemon Daemon) (int, error) {
	if err := os.MkdirAll(s.Folder, 0o700); err != nil {
		return 0, fmt.Errorf("make the folder of logs: %w", err)
	}
	log, err := os.OpenFile(s.LogPath(daemon.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("open the log of %s: %w", daemon.Name, err)
	}
	defer log.Close()
	arguments := []string{"launch", "--cgroup", s.Cgroup, "--namespace", daemon.Namespace, "--"}
	command := exec.Command(s.Launcher, append(arguments, daemon.Command...)...)
	command.Stdout, command.Stderr = log, log
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/root"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", daemon.Name, err)
	}
	// A child that ended would look alive until it is waited for.
	go func() { _ = command.Wait() }()
	pid := command.Process.Pid
	content, err := json.Marshal(record{pid, startTime(pid)})
	if err != nil {
		return 0, fmt.Errorf("record %s: %w", daemon.Name, err)
	}
	if err := os.WriteFile(s.recordPath(daemon.Name), content, 0o600); err != nil {
		return 0, fmt.Errorf("record %s: %w", daemon.Name, err)
	}
	return pid, nil
}

// Stop ends a daemon, if it runs: first by SIGTERM, after the deadline by SIGKILL.
func (s Supervisor) Stop(name string, deadline time.Duration) error {
	pid := s.Running(name)
	if pid == 0 {
		return s.forget(name)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop %s: %w", name, err)
	}
	end := time.Now().Add(deadline)
	for s.Running(name) == pid {
		if time.Now().After(end) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return s.forget(name)
}

func (s Supervisor) forget(name string) error {
	if err := os.Remove(s.recordPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget %s: %w", name, err)
	}
	return nil
}

// failure says which daemon failed, with the end of its log.
func (s Supervisor) failure(name string, err error) error {
	return fmt.Errorf("%s does not start: %w\nthe end of its log, %s:\n%s", name, err, s.LogPath(name), s.Tail(name, 25))
}

// Tail is the end of a daemon's log.
func (s Supervisor) Tail(name string, lines int) string {
	content, err := os.ReadFile(s.LogPath(name))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(content), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// startTime is when a process started, in clock ticks since the machine's start; empty if there is no such process, or
// it has ended and nobody waited for it (proc(5), /proc/pid/stat, fields 3 and 22).
func startTime(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is a name in parentheses, which may hold anything.
	_, rest, found := strings.Cut(string(content[strings.LastIndexByte(string(content), ')'):]), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
