package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/kube-imds/kube-imds/hack/internal/recipe"
)

// A range of versions would be another client on another day, without another key.
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
		t.Error("there is no Debian to base images on")
	}
	delete(versions, "debian")
	for name, version := range versions {
		if !exact.MatchString(version) {
			t.Errorf("%s is pinned at %q", name, version)
		}
		if !bytes.Contains(all, []byte(name)) {
			t.Errorf("no client is built with %s", name)
		}
	}
}
