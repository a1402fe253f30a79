package product

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestVersionIsFromTheChart(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if _, err := Version(root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a chart: got error %v", err)
	}
	folder := filepath.Join(root, "charts", "kube-imds")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"version: 1.2.3\n": "", "appVersion: 1.2.3\n": "1.2.3", "appVersion: [": ""} {
		if err := os.WriteFile(filepath.Join(folder, "Chart.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Version(root); got != want || (err == nil) != (want != "") {
			t.Errorf("chart %q: Version() = %q, %v", text, got, err)
		}
	}
}
