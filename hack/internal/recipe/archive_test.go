package recipe

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArchiveIsReproducible(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeFile(t, folder, "bin/program", "x", 0o700)
	writeFile(t, folder, "secret", "y", 0o600)
	if err := os.Symlink("program", filepath.Join(folder, "bin/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(folder, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, to := range []*bytes.Buffer{&first, &second} {
		if err := archive(folder, to); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two archives of the same files differ")
	}
	want := []string{"bin/ 755", "bin/link -> program", "bin/program 755", "secret 644", "tmp/ 1777"}
	if diff := cmp.Diff(want, namesIn(t, &first)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// namesIn returns the entries of an archive: names with modes, and the targets of links.
func namesIn(t *testing.T, content io.Reader) []string {
	t.Helper()
	var names []string
	for reader := tar.NewReader(content); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.ModTime.Unix() != 0 {
			t.Errorf("%s has user %d and time %s, want 0 and the epoch", header.Name, header.Uid, header.ModTime)
		}
		if header.Typeflag == tar.TypeSymlink {
			names = append(names, header.Name+" -> "+header.Linkname)
			continue
		}
		names = append(names, fmt.Sprintf("%s %o", header.Name, header.Mode))
	}
}
