package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func openFolder(t *testing.T, path string, maxBytes int) *Folder {
	t.Helper()
	folder, err := OpenFolder(path, maxBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	return folder
}

func TestFolderOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "vaults")
	folder := openFolder(t, path, 1<<20)
	s := &Store{Records: folder, Kind: "secret", Now: time.Now}
	s.add(t, "Greeting", "one", "hello")
	s.add(t, "greeting", "two", "bye")
	s.add(t, "gone", "one", "x")
	s.deleteUntil(t, "gone", noon)
	if err := s.Purge(t.Context(), vault, "gone"); err != nil {
		t.Fatal(err)
	}
	kept := s.records(t)
	if _, err := OpenFolder(path, 1<<20); err == nil || !strings.Contains(err.Error(), "another process has it open") {
		t.Errorf("error of a second process: %v", err)
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, ".next-left-behind"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}

	again := &Store{Records: openFolder(t, path, 1<<20), Kind: "secret", Now: time.Now}
	if got := again.records(t); strings.Join(got, " ") != strings.Join(kept, " ") {
		t.Errorf("records = %q, want %q", got, kept)
	}
	again.add(t, "greeting", "three", "again")
	found, err := again.Get(t.Context(), vault, "greeting")
	if err != nil || found.Name != "Greeting" || strings.Join(ids(found), " ") != "one two three" {
		t.Errorf("got %+v, error %v", found, err)
	}
	if value, err := again.Value(t.Context(), vault, "greeting", "one"); err != nil || string(value) != "hello" {
		t.Errorf("value = %q, error %v", value, err)
	}
	if _, err := os.Stat(filepath.Join(path, ".next-left-behind")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a killed process left behind: %v", err)
	}
}

func TestFilesAreTheUsersOwn(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vaults")
	(&Store{Records: openFolder(t, path, 1<<20), Kind: "secret", Now: time.Now}).add(t, "greeting", "one", "hello")
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("mode of %s = %#o, want %#o", path, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFolderOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Chmod(path, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(path, 1<<20); err == nil || !strings.Contains(err.Error(), "other users may use this folder (mode 0750)") {
		t.Errorf("error = %v", err)
	}
}

// What is kept is bounded, in memory and in a folder: as long as it is full, only what makes it no larger is written.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vaults")
	folder := openFolder(t, path, 3*overhead)
	for name, records := range map[string]Records{"memory": &Memory{MaxBytes: 3 * overhead}, "folder": folder} {
		first := &Record{Name: "a", Content: []byte(strings.Repeat("x", overhead))}
		if err := records.Create(t.Context(), first); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		second := &Record{Name: "b", Content: []byte("x")}
		if err := records.Create(t.Context(), second); !errors.Is(err, ErrFull) {
			t.Errorf("%s: error of a record too much: %v", name, err)
		}
		if found, err := records.Get(t.Context(), "b"); found != nil || err != nil {
			t.Errorf("%s: it is %+v, error %v", name, found, err)
		}
		first.Content = first.Content[1:]
		if err := records.Replace(t.Context(), first); err != nil {
			t.Errorf("%s: make a record smaller: %v", name, err)
		}
		if err := records.Create(t.Context(), second); err != nil {
			t.Errorf("%s: a record that there is room for: %v", name, err)
		}
		if err := records.Delete(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		if err := records.Create(t.Context(), first); err != nil {
			t.Errorf("%s: a record in the place of a deleted one: %v", name, err)
		}
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(path, 2*overhead); !errors.Is(err, ErrFull) {
		t.Errorf("error of a folder that is larger than allowed: %v", err)
	}
}

// A file that is not what was written is named, and nothing is served without it.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"not JSON":   {"{", "unexpected end of JSON"},
		"renamed":    {`{"Name":"other"}`, `it holds the record "other"`},
		"much large": {strings.Repeat(" ", maxFile+1), "it has more than"},
	} {
		path := filepath.Join(t.TempDir(), "vaults")
		if err := openFolder(t, path, 1<<20).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "secret-x.json"), []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFolder(path, 1<<20)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "secret-x.json") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// A write that fails changes nothing.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vaults")
	folder := openFolder(t, path, 1<<20)
	record := &Record{Name: "a", Content: []byte("old")}
	if err := folder.Create(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, ".next-a"), 0o700); err != nil {
		t.Fatal(err)
	}
	changed := *record
	changed.Content = []byte("new")
	if err := folder.Replace(t.Context(), &changed); err == nil {
		t.Error("it is written")
	}
	if found, err := folder.Get(t.Context(), "a"); err != nil || string(found.Content) != "old" {
		t.Errorf("got %+v, error %v", found, err)
	}
	if err := folder.Delete(t.Context(), record); err != nil {
		t.Errorf("delete what it was: %v", err)
	}
}
