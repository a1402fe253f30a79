package debian

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	var said string
	announce := func(format string, arguments ...any) { said += fmt.Sprintf(format, arguments...) }
	err := Install(t.Context(), "a test", announce, Need{true, "bash"}, Need{false, "gcc"}, Need{false, "make"})
	if err != nil {
		t.Fatal(err)
	}
	want := "update\ninstall --yes --no-install-recommends gcc make\n"
	if diff := cmp.Diff(want, calls()); diff != "" {
		t.Errorf("the calls of apt-get (-want +got):\n%s", diff)
	}
	if !strings.Contains(said, "a test needs") {
		t.Errorf("it is announced by %q", said)
	}
}

func TestNothingIsInstalledWhereAllIsThere(t *testing.T) {
	calls := machine(t, "true")
	announce := func(string, ...any) { t.Error("something is announced") }
	if err := Install(t.Context(), "a test", announce, Need{true, "gcc"}); err != nil || calls() != "" {
		t.Errorf("apt-get was called with %q: %v", calls(), err)
	}
}

func TestErrorSaysWhatToInstall(t *testing.T) {
	for name, aptGet := range map[string]string{"no apt-get": "", "apt-get fails": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			machine(t, aptGet)
			err := Install(t.Context(), "a test", func(string, ...any) {}, Need{false, "gcc"})
			if err == nil || !strings.Contains(err.Error(), "apt-get") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
