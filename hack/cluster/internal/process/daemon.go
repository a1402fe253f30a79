package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Daemon is a program that runs until it is stopped.
type Daemon struct {
	// Name identifies the daemon within its cluster.
	Name string

	// Namespace is the network namespace that it runs in; "" means the machine's own.
	Namespace string

	// Command is the absolute path of the program, with its arguments.
	Command []string

	// Ready returns nil once the daemon does its work.
	Ready func(context.Context) error
}

// Supervisor starts and stops daemons.
type Supervisor struct {
	// Launcher is the program whose subcommand "launch" calls Launch.
	Launcher string

	// Cgroup is the control group of every daemon.
	Cgroup string

	// Folder holds process records and logs.
	Folder string
}

// Start starts a daemon unless it runs, and waits until it is ready. It fails as soon as the daemon ends.
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
			return s.failure(daemon.Name, fmt.Errorf("%w before it was ready: %w", context.Cause(ctx), err))
		case <-ticker.C:
		}
	}
}

// launch starts the daemon in its own session, so that it outlives this program, and records it. Launch waits for the
// record, so that a running daemon can always be found again, even if this program is killed.
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
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:" + os.Getenv("PATH"), "HOME=/root"}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	word, err := command.StdinPipe()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", daemon.Name, err)
	}
	defer word.Close()
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", daemon.Name, err)
	}
	// Until it is waited for, a child that has ended looks alive.
	go func() { _ = command.Wait() }()
	if err := s.remember(daemon.Name, command.Process.Pid); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(word, recorded); err != nil {
		return 0, s.failure(daemon.Name, err)
	}
	return command.Process.Pid, nil
}

// Stop stops a running daemon: first by SIGTERM, and by SIGKILL after the deadline.
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
