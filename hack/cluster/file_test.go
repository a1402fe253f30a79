package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCopyReplacesContentAndMode(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
	if err := os.WriteFile(from, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte("what was there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(from, to, 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(to)
	if err != nil || string(content) != "new" {
		t.Errorf("content = %q, error %v, want new", content, err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode = %s, error %v, want 0755", info.Mode(), err)
	}
	if err := copyFile(filepath.Join(folder, "none"), to, 0o755); err == nil {
		t.Error("missing file was copied")
	}
	if got := names(t, folder); len(got) != 2 {
		t.Errorf("folder contains %v, want from and to", got)
	}
}
