package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func mustLock(t *testing.T, path string) *Lock {
	t.Helper()
	lock, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func TestWhoHoldsItIsSaid(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "lock")
	lock := mustLock(t, path)
	_, err := Try(path)
	held, isHeld := errors.AsType[*HeldError](err)
	if want := fmt.Sprintf("process %d (%s", os.Getpid(), filepath.Base(os.Args[0])); !isHeld || !strings.HasPrefix(held.Holder, want) {
		t.Errorf("got error %v, want it to say %q", err, want)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if err := mustLock(t, path).Release(); err != nil {
		t.Error(err)
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var inside, entered atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				lock, err := waitBriefly(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold it at once")
				}
				entered.Add(1)
				inside.Add(-1)
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := entered.Load(); got != 200 && !t.Failed() {
		t.Errorf("it was held %d times, want 200", got)
	}
}

// waitBriefly tries without a pause, so that the lock is let go and taken as closely as can be.
func waitBriefly(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := Try(path)
		if _, isHeld := errors.AsType[*HeldError](err); !isHeld || ctx.Err() != nil {
			return lock, err
		}
	}
}

func TestWhoeverWaitsIsToldAndGetsItNext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first := mustLock(t, path)
	var told []string
	second, err := Wait(t.Context(), path, func(holder string) {
		told = append(told, holder)
		if err := first.Release(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if len(told) != 1 || !strings.HasPrefix(told[0], fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("it was told %q", told)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	defer mustLock(t, path).Release()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Wait(ctx, path, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "held by process") {
		t.Errorf("got error %v", err)
	}
}

// TestHold is not a test, but the process that the next one kills.
func TestHold(t *testing.T) {
	path := os.Getenv("LOCK_TO_HOLD")
	if path == "" {
		t.Skip("it is run by TestALockEndsWithItsProcess")
	}
	lock := mustLock(t, path)
	// What it starts must not hold the lock on.
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("holding, child %d\n", child.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	// It is still in use here, or the garbage collector would close it.
	_ = lock.Release()
}

func TestALockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	command := exec.Command(os.Args[0], "-test.run=^TestHold$")
	command.Env = append(os.Environ(), "LOCK_TO_HOLD="+path)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscanf(output, "holding, child %d\n", &child); err != nil {
		t.Fatal(err)
	}
	if process, err := os.FindProcess(child); err == nil {
		defer process.Kill()
	}
	if _, err := Try(path); err == nil {
		t.Error("it is not held while its process lives")
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lock, err := Wait(ctx, path, func(string) {})
	if err != nil {
		t.Fatalf("it outlived its process: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}
