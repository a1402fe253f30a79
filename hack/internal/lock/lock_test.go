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

func TestErrorNamesTheHolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "folder", "lock")
	lock := mustLock(t, path)
	_, err := Try(path)
	held, isHeld := errors.AsType[*HeldError](err)
	if want := fmt.Sprintf("process %d (%s", os.Getpid(), filepath.Base(os.Args[0])); !isHeld || !strings.HasPrefix(held.Holder, want) {
		t.Errorf("got error %v, want holder %q", err, want)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("file still exists: %v", err)
	}
	if err := mustLock(t, path).Release(); err != nil {
		t.Error(err)
	}
}

func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var inside, entered atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 25 {
				lock, err := spin(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two goroutines hold the lock at once")
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
		t.Errorf("lock was held %d times, want 200", got)
	}
}

// spin tries without pauses, so that a release and the next attempt are as close as possible.
func spin(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := Try(path)
		if _, isHeld := errors.AsType[*HeldError](err); !isHeld || ctx.Err() != nil {
			return lock, err
		}
	}
}

func TestWaiterLearnsTheHolderAndLocksNext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first := mustLock(t, path)
	var holders []string
	second, err := Wait(t.Context(), path, func(holder string) {
		holders = append(holders, holder)
		if err := first.Release(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
	if len(holders) != 1 || !strings.HasPrefix(holders[0], fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("got holders %q, want this process once", holders)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	defer mustLock(t, path).Release()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Wait(ctx, path, func(string) { cancel() })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "held by process") {
		t.Errorf("got error %v", err)
	}
}

// TestHoldLock is the process that TestLockEndsWithItsProcess kills.
func TestHoldLock(t *testing.T) {
	path := os.Getenv("LOCK_TO_HOLD")
	if path == "" {
		t.Skip("only TestLockEndsWithItsProcess runs this")
	}
	lock := mustLock(t, path)
	// A child must not keep the lock after this process.
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("holding, child %d\n", child.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	// The release keeps lock reachable. The garbage collector would close its file otherwise.
	_ = lock.Release()
}

func TestLockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	command := exec.Command(os.Args[0], "-test.run=^TestHoldLock$")
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
		t.Error("lock is free while its process runs")
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lock, err := Wait(ctx, path, func(string) {})
	if err != nil {
		t.Fatalf("lock outlived its process: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}
