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

// fakeMachine sets a PATH that has only a shell and, unless aptGet is empty, an apt-get that records its arguments and runs
// aptGet. calls returns the recorded arguments, one call a line.
func fakeMachine(t *testing.T, aptGet string) (calls func() string) {
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

func TestMissingPackagesAreInstalled(t *testing.T) {
	calls := fakeMachine(t, "true")
	var output bytes.Buffer
	err := Install(t.Context(), "a test", &output, Need{true, "bash"}, Need{false, "gcc"}, Need{false, "make"})
	if err != nil {
		t.Fatal(err)
	}
	want := "update\ninstall --yes --no-install-recommends gcc make\n"
	if diff := cmp.Diff(want, calls()); diff != "" {
		t.Errorf("calls of apt-get (-want +got):\n%s", diff)
	}
	if !strings.Contains(output.String(), "a test needs (gcc, make)") {
		t.Errorf("output = %q", &output)
	}
}

func TestInstallWaitsForAnotherInstallation(t *testing.T) {
	defer func(original time.Duration) { retry = original }(retry)
	retry = time.Millisecond
	calls := fakeMachine(t, `set -- $(/usr/bin/wc -l <"${0%/*}/calls")
if [ "$1" -lt 4 ]; then
	echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42 (unattended-upgr)" >&2
	exit 100
fi`)
	var output bytes.Buffer
	if err := Install(t.Context(), "a test", &output, Need{false, "gcc"}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(calls(), "update\n"); got != 4 {
		t.Errorf("apt-get was called %d times, want 4:\n%s", got, calls())
	}
	if got := strings.Count(output.String(), "held by process 42"); got != 1 {
		t.Errorf("lock holder is reported %d times, want once:\n%s", got, &output)
	}
}

func TestNothingIsInstalledWhenNothingIsMissing(t *testing.T) {
	calls := fakeMachine(t, "true")
	var output bytes.Buffer
	if err := Install(t.Context(), "a test", &output, Need{true, "gcc"}); err != nil || calls() != "" || output.Len() > 0 {
		t.Errorf("calls of apt-get = %q, output %q, error %v, want none", calls(), &output, err)
	}
}

func TestErrorSaysWhatToInstall(t *testing.T) {
	for name, aptGet := range map[string]string{"no apt-get": "", "apt-get fails": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			fakeMachine(t, aptGet)
			err := Install(t.Context(), "a test", io.Discard, Need{false, "gcc"})
			if err == nil || !strings.Contains(err.Error(), "apt-get") {
				t.Errorf("got error %v, want the apt-get command", err)
			}
		})
	}
}
