package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClientsAreFoundByName(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, client := range []string{"go", "python"} {
		if err := os.Mkdir(filepath.Join(folder, client), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, client, "image.json"), []byte(`{"entrypoint": ["/x"]}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct{ names, want []string }{
		"all": {nil, []string{"sdk-go", "sdk-python"}},
		"one": {[]string{"python"}, []string{"sdk-python"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clients, err := findClients(folder, test.names)
			if err != nil {
				t.Fatal(err)
			}
			var images []string
			for _, client := range clients {
				images = append(images, client.Image)
			}
			if diff := cmp.Diff(test.want, images); diff != "" {
				t.Error("images (-want +got)", diff)
			}
		})
	}
	if _, err := findClients(folder, []string{"nothing"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("unknown client: got error %v", err)
	}
}
