package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kube-imds/kube-imds/hack/internal/recipe"
)

// exact matches one version. A range could select another version later, under the same cache key.
var exact = regexp.MustCompile(`^[0-9]+(\.[0-9]+){2}$`)

func TestVersionsAreExactAndUsed(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	versions, err := recipe.Versions(root)
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob(filepath.Join(root, "test/sdks/clients/*/build"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if versions["debian"] == "" {
		t.Error("no Debian release is pinned for the base images")
	}
	delete(versions, "debian")
	for name, version := range versions {
		if !exact.MatchString(version) {
			t.Errorf("%s is pinned at %q, want an exact version", name, version)
		}
		if !bytes.Contains(all, []byte(name)) {
			t.Errorf("no client uses %s", name)
		}
	}
}
