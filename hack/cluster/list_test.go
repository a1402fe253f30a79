package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/hack/cluster/internal/layout"
)

func TestAllClustersAreListed(t *testing.T) {
	folder := t.TempDir()
	mustMakeFolders(t, filepath.Join(folder, "half"))
	mustMakeFolders(t, filepath.Join(folder, "broken"))
	if err := os.WriteFile(filepath.Join(folder, "broken", stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustMakeFolders(t, filepath.Join(folder, "whole"))
	whole := &cluster{Layout: layout.Layout{Name: "whole", Root: filepath.Join(folder, "whole")}}
	if err := whole.remember("/binaries", "/checkout"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(folder, "sysctls.json"))
	var output bytes.Buffer
	if err := list(&output, folder); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("got list\n%s\nwant 4 lines", &output)
	}
	for i, want := range [][]string{{"NAME", "DAEMONS"}, {"broken", "read the state"}, {"half", "0 of 11 run"}, {"whole", "0 of 11 run", "/checkout"}} {
		for _, part := range want {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %d lacks %q: %s", i, part, lines[i])
			}
		}
	}
}

func TestListWithoutClustersHasOnlyItsHeader(t *testing.T) {
	var output bytes.Buffer
	if err := list(&output, filepath.Join(t.TempDir(), "none")); err != nil || strings.Count(output.String(), "\n") != 1 {
		t.Errorf("got list %q, error %v", &output, err)
	}
}
