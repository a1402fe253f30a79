package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newSysctls returns Sysctls of a machine with two of the settings that kubelet changes.
func newSysctls(t *testing.T) Sysctls {
	t.Helper()
	folder := t.TempDir()
	s := Sysctls{File: filepath.Join(folder, "sysctls.json"), root: filepath.Join(folder, "sys")}
	for _, name := range []string{"kernel", "vm"} {
		if err := os.MkdirAll(filepath.Join(s.root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.set(t, "kernel/panic", "0")
	s.set(t, "vm/overcommit_memory", "2")
	return s
}

func (s Sysctls) set(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.root, name), []byte(value+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s Sysctls) get(t *testing.T, name string) string {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(s.root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

func TestRestoreRestoresSavedSettings(t *testing.T) {
	s := newSysctls(t)
	mustSave(t, s)
	s.set(t, "kernel/panic", "10")
	s.set(t, "vm/overcommit_memory", "1")
	mustSave(t, s) // A second cluster saves again, after the first one changed the settings.
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if panic, overcommit := s.get(t, "kernel/panic"), s.get(t, "vm/overcommit_memory"); panic != "0" || overcommit != "2" {
		t.Errorf("kernel/panic = %s, vm/overcommit_memory = %s, want 0 and 2", panic, overcommit)
	}
	if _, err := os.Stat(s.File); !os.IsNotExist(err) {
		t.Errorf("file still exists: %v", err)
	}
	if err := s.Restore(); err != nil {
		t.Errorf("second restore: %v", err)
	}
}

func TestSettingsFromBeforeARebootAreNotRestored(t *testing.T) {
	s := newSysctls(t)
	if err := os.WriteFile(s.File, []byte(`{"bootID":"another","values":{"kernel/panic":"77"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "kernel/panic"); got != "0" {
		t.Errorf("kernel/panic = %s, want 0: 77 is from before the reboot", got)
	}
}

func TestSettingsAreSavedAgainAfterAReboot(t *testing.T) {
	s := newSysctls(t)
	if err := os.WriteFile(s.File, []byte(`{"bootID":"another","values":{"kernel/panic":"77"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s)
	s.set(t, "kernel/panic", "10")
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "kernel/panic"); got != "0" {
		t.Errorf("kernel/panic = %s, want 0", got)
	}
}

func mustSave(t *testing.T, s Sysctls) {
	t.Helper()
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
}
