package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The clients of KMSs are large and powerful. Only the signer needs them.
func TestOnlyTheSignerLinksTheKMS(t *testing.T) {
	t.Parallel()
	const kms = "github.com/kube-imds/kube-imds/internal/signer/kms"
	output, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.Name}} {{.ImportPath}} {{join .Deps " "}} `, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	linking := false
	for line := range strings.Lines(string(output)) {
		name, rest, _ := strings.Cut(line, " ")
		path, deps, _ := strings.Cut(rest, " ")
		links := strings.Contains(" "+deps, " "+kms+" ") || strings.Contains(deps, "github.com/sigstore/")
		if path == "github.com/kube-imds/kube-imds/cmd/signer" {
			linking = links
		} else if links && path != kms && !strings.Contains(path, "/test/") {
			t.Errorf("%s %s links the KMS", name, path)
		}
	}
	if !linking {
		t.Error("the signer does not link the KMS")
	}
}
