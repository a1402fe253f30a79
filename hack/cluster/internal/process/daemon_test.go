package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newSupervisor returns a supervisor whose launcher waits until it is recorded, as the real one does, and then runs the shell
// commands.
func newSupervisor(t *testing.T, commands string) Supervisor {
	t.Helper()
	folder := t.TempDir()
	launcher := filepath.Join(folder, "launcher")
	if err := os.WriteFile(launcher, []byte("#!/bin/sh\ncat\necho\n"+commands), 0o700); err != nil {
		t.Fatal(err)
	}
	return Supervisor{Launcher: launcher, Folder: filepath.Join(folder, "daemons")}
}

func TestStartWaitsUntilReadyAndStopEndsTheProcess(t *testing.T) {
	supervisor := newSupervisor(t, "exec sleep 600")
	checks := 0
	daemon := Daemon{Name: "etcd", Ready: func(context.Context) error {
		if checks++; checks < 3 {
			return errors.New("not yet")
		}
		return nil
	}}
	if err := supervisor.Start(t.Context(), daemon, time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = supervisor.Stop("etcd", time.Second) })
	if checks != 3 {
		t.Errorf("Ready was called %d times, want 3", checks)
	}
	first := supervisor.Running("etcd")
	if first == 0 {
		t.Fatal("daemon does not run after start")
	}
	if err := supervisor.Start(t.Context(), daemon, time.Minute); err != nil {
		t.Fatal(err)
	}
	if again := supervisor.Running("etcd"); again != first {
		t.Errorf("second start: process = %d, want %d", again, first)
	}
	if err := supervisor.Stop("etcd", time.Minute); err != nil {
		t.Fatal(err)
	}
	if startTime(first) != "" || supervisor.Running("etcd") != 0 {
		t.Error("daemon runs after stop")
	}
}

func TestStopKillsADaemonThatIgnoresTERM(t *testing.T) {
	supervisor := newSupervisor(t, "trap '' TERM\necho deaf\nexec sleep 600")
	ignoresTERM := func(context.Context) error {
		log, err := os.ReadFile(supervisor.LogPath("etcd"))
		if err == nil && !strings.Contains(string(log), "deaf") {
			err = errors.New("the script does not ignore TERM yet")
		}
		return err
	}
	if err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: ignoresTERM}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Stop("etcd", 0); err != nil {
		t.Fatal(err)
	}
	if supervisor.Running("etcd") != 0 {
		t.Error("daemon runs after stop")
	}
}

func TestFailedStartReportsDaemonAndLog(t *testing.T) {
	supervisor := newSupervisor(t, "echo the port is taken >&2\nexit 1")
	neverReady := func(context.Context) error { return errors.New("connection refused") }
	err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: neverReady}, time.Minute)
	if err == nil {
		t.Fatal("failed start returned no error")
	}
	for _, part := range []string{"etcd does not start", "it ended", "the port is taken", supervisor.LogPath("etcd")} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q: %v", part, err)
		}
	}
}

func TestStartTimeoutReportsTheLastError(t *testing.T) {
	supervisor := newSupervisor(t, "exec sleep 600")
	neverReady := func(context.Context) error { return errors.New("connection refused") }
	err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: neverReady}, time.Nanosecond)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got error %v, want the error of Ready", err)
	}
	if err := supervisor.Stop("etcd", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestUnrecordedProcessDoesNotRun(t *testing.T) {
	for word, runs := range map[string]bool{recorded: true, "": false, "rec": false} {
		if err := awaitRecord(strings.NewReader(word)); (err == nil) != runs {
			t.Errorf("input %q: got error %v, want it to run: %v", word, err, runs)
		}
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("line\n", 100) + "last\n"
	if got := tail(long); strings.Count(got, "\n") != tailLines-1 || !strings.HasSuffix(got, "\nlast") {
		t.Errorf("tail of a long log = %q", got)
	}
	if got := tail("one\ntwo\n"); got != "one\ntwo" {
		t.Errorf("tail of a short log = %q", got)
	}
}
