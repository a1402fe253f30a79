package recipe

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// key identifies everything that something is made of.
type key struct{ digest [sha256.Size]byte }

// String is short enough for a file name.
func (k key) String() string { return fmt.Sprintf("%x", k.digest[:8]) }

// keyOf returns the key of values, and of the contents and modes of files and folders.
func keyOf(values []string, paths ...string) (key, error) {
	hash := sha256.New()
	for _, value := range values {
		fmt.Fprintf(hash, "%q\n", value)
	}
	for _, path := range paths {
		if err := addTo(hash, path); err != nil {
			return key{}, fmt.Errorf("read what an image is made of: %w", err)
		}
	}
	return key{[sha256.Size]byte(hash.Sum(nil))}, nil
}

func addTo(hash io.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%q %o %d\n", relative, info.Mode().Perm(), len(content))
		_, err = hash.Write(content)
		return err
	})
}
