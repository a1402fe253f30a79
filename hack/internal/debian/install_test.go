package debian

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// machine has no program but a shell and, where it is given one, an apt-get that tells what it is called with.
func machine(t *testing.T, aptGet string) (calls func() string) {
	t.Helper()
	folder := t.TempDir()
	log := filepath.Join(folder, "calls")
	if err := os.Symlink("/bin/sh", filepath.Join(folder, "sh")); err != nil {
		t.Fatal(err)
	}
	if aptGet != "" {
		script := "#!/bin/sh\necho \"$@\" >>" + log + "\n" + aptGet
		if err := os.WriteFile(filepath.Join(folder, "apt-get"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	return func() string {
		text, _ := os.ReadFile(log)
		return string(text)
	}
}

func TestWhatIsNotThereIsInstalled(t *testing.T) {
	calls := machine(t, "true")
	var said bytes.Buffer
	err := Install(t.Context(), "a test", &said, Need{true, "bash"}, Need{false, "gcc"}, Need{false, "make"})
	if err != nil {
		t.Fatal(err)
	}
	want := "update\ninstall --yes --no-install-recommends gcc make\n"
	if diff := cmp.Diff(want, calls()); diff != "" {
		t.Errorf("the calls of apt-get (-want +got):\n%s", diff)
	}
	if !strings.Contains(said.String(), "a test needs (gcc, make)") {
		t.Errorf("it is announced by %q", &said)
	}
}

func TestAnotherInstallationIsWaitedFor(t *testing.T) {
	defer func(before time.Duration) { retry = before }(retry)
	retry = time.Millisecond
	calls := machine(t, `set -- $(/usr/bin/wc -l <"${0%/*}/calls")
if [ "$1" -lt 4 ]; then
	echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)" >&2
	exit 100
fi`)
	var said bytes.Buffer
	if err := Install(t.Context(), "a test", &said, Need{false, "gcc"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(calls(), "update\n"); got != 4 {
		t.Errorf("apt-get was tried %d times, want 4:\n%s", got, calls())
	}
	if got := strings.Count(said.String(), "held by process 42"); got != 1 {
		t.Errorf("the holder is told of %d times:\n%s", got, &said)
	}
}

func TestNothingIsInstalledWhereAllIsThere(t *testing.T) {
	calls := machine(t, "true")
	var said bytes.Buffer
	if err := Install(t.Context(), "a test", &said, Need{true, "gcc"}); err != nil || calls() != "" || said.Len() > 0 {
		t.Errorf("apt-get was called with %q, and it is announced by %q: %v", calls(), &said, err)
	}
}

func TestErrorSaysWhatToInstall(t *testing.T) {
	for name, aptGet := range map[string]string{"no apt-get": "", "apt-get fails": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			machine(t, aptGet)
			err := Install(t.Context(), "a test", io.Discard, Need{false, "gcc"})
			if err == nil || !strings.Contains(err.Error(), "apt-get") {
				t.Errorf("got error %v", err)
			}
		})
	}
}
