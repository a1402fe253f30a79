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

// script writes a launcher that waits for the word, as the real one does, and goes on as the shell is told.
func script(t *testing.T, then string) Supervisor {
	t.Helper()
	folder := t.TempDir()
	launcher := filepath.Join(folder, "launcher")
	if err := os.WriteFile(launcher, []byte("#!/bin/sh\ncat\necho\n"+then), 0o700); err != nil {
		t.Fatal(err)
	}
	return Supervisor{Launcher: launcher, Folder: filepath.Join(folder, "daemons")}
}

func TestStartWaitsUntilReadyAndStopEnds(t *testing.T) {
	supervisor := script(t, "exec sleep 600")
	asked := 0
	daemon := Daemon{Name: "etcd", Ready: func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}}
	if err := supervisor.Start(t.Context(), daemon, time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = supervisor.Stop("etcd", time.Second) })
	if asked != 3 {
		t.Errorf("it was asked %d times whether it is ready, want 3", asked)
	}
	first := supervisor.Running("etcd")
	if first == 0 {
		t.Fatal("it does not run")
	}
	if err := supervisor.Start(t.Context(), daemon, time.Minute); err != nil {
		t.Fatal(err)
	}
	if again := supervisor.Running("etcd"); again != first {
		t.Errorf("to start it again made process %d of %d", again, first)
	}
	if err := supervisor.Stop("etcd", time.Minute); err != nil {
		t.Fatal(err)
	}
	if startTime(first) != "" || supervisor.Running("etcd") != 0 {
		t.Error("it runs after it was stopped")
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	supervisor := script(t, "trap '' TERM\necho deaf\nexec sleep 600")
	deaf := func(context.Context) error {
		log, err := os.ReadFile(supervisor.LogPath("etcd"))
		if err == nil && !strings.Contains(string(log), "deaf") {
			err = errors.New("it still listens")
		}
		return err
	}
	if err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: deaf}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Stop("etcd", 0); err != nil {
		t.Fatal(err)
	}
	if supervisor.Running("etcd") != 0 {
		t.Error("it runs after it was stopped")
	}
}

func TestAStartThatFailsNamesTheDaemonAndShowsItsLog(t *testing.T) {
	supervisor := script(t, "echo the port is taken >&2\nexit 1")
	never := func(context.Context) error { return errors.New("connection refused") }
	err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: never}, time.Minute)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"etcd does not start", "it ended", "the port is taken", supervisor.LogPath("etcd")} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

func TestAStartThatIsNeverReadySaysWhy(t *testing.T) {
	supervisor := script(t, "exec sleep 600")
	never := func(context.Context) error { return errors.New("connection refused") }
	err := supervisor.Start(t.Context(), Daemon{Name: "etcd", Ready: never}, time.Nanosecond)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want why it is not ready", err)
	}
	if err := supervisor.Stop("etcd", time.Minute); err != nil {
		t.Error(err)
	}
}

func TestAProcessThatNobodyRecordedDoesNotRun(t *testing.T) {
	for word, runs := range map[string]bool{recorded: true, "": false, "rec": false} {
		if err := awaitRecord(strings.NewReader(word)); (err == nil) != runs {
			t.Errorf("told %q: %v, want it to run: %v", word, err, runs)
		}
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("line\n", 100) + "last\n"
	if got := tail(long); strings.Count(got, "\n") != tailLines-1 || !strings.HasSuffix(got, "\nlast") {
		t.Errorf("tail is %q", got)
	}
	if got := tail("one\ntwo\n"); got != "one\ntwo" {
		t.Errorf("tail of a short log is %q", got)
	}
}
