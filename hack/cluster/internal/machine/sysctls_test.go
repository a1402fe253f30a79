package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// settings makes a machine with two of the settings that kubelet changes.
func settings(t *testing.T) Sysctls {
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

func TestTheMachineGetsItsSettingsBack(t *testing.T) {
	s := settings(t)
	mustSave(t, s)
	s.set(t, "kernel/panic", "10")
	s.set(t, "vm/overcommit_memory", "1")
	mustSave(t, s) // As a second cluster does, which finds what the first one changed.
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if panic, overcommit := s.get(t, "kernel/panic"), s.get(t, "vm/overcommit_memory"); panic != "0" || overcommit != "2" {
		t.Errorf("kernel/panic is %s, vm/overcommit_memory %s, want 0 and 2", panic, overcommit)
	}
	if _, err := os.Stat(s.File); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	if err := s.Restore(); err != nil {
		t.Errorf("restore what is restored: %v", err)
	}
}

func TestAfterARebootTheMachineHasItsOwnSettings(t *testing.T) {
	s := settings(t)
	if err := os.WriteFile(s.File, []byte(`{"bootID":"another","values":{"kernel/panic":"77"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "kernel/panic"); got != "0" {
		t.Errorf("kernel/panic is %s, want 0: 77 was before the reboot", got)
	}
}

func TestSavedBeforeARebootIsSavedAnew(t *testing.T) {
	s := settings(t)
	if err := os.WriteFile(s.File, []byte(`{"bootID":"another","values":{"kernel/panic":"77"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s)
	s.set(t, "kernel/panic", "10")
	if err := s.Restore(); err != nil {
		t.Fatal(err)
	}
	if got := s.get(t, "kernel/panic"); got != "0" {
		t.Errorf("kernel/panic is %s, want 0", got)
	}
}

func mustSave(t *testing.T, s Sysctls) {
	t.Helper()
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
}
