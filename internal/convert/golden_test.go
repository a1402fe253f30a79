package convert

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/internal/dev/manifest"
)

var update = flag.Bool("update", false, "write what is got to testdata/*.out.yaml and testdata/*.report.txt")

const tenant = "72f988bf-86f1-41af-91ab-2d7cd011db47"

// options are those of the files that need others than the tenant.
var options = map[string]Options{
	"no-tenant":      {},
	"all-namespaced": {Tenant: tenant, Namespaced: true},
}

// TestConversion compares objects and report with reviewed files: testdata/NAME.in.yaml becomes testdata/NAME.out.yaml and
// testdata/NAME.report.txt. To accept changes: go test ./internal/convert -run TestConversion -update.
func TestConversion(t *testing.T) {
	t.Parallel()
	inputs, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(inputs) == 0 {
		t.Fatal("no input files", err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			result := convert(t, name, string(content))
			compareWithFile(t, strings.TrimSuffix(input, ".in.yaml")+".out.yaml", printed(t, result.PrintYAML))
			compareWithFile(t, strings.TrimSuffix(input, ".in.yaml")+".report.txt", printed(t, result.Report))
			checkObjects(t, result)
			checkOrder(t, name, string(content), result)
		})
	}
}

func convert(t *testing.T, name string, contents ...string) *Result {
	t.Helper()
	chosen, found := options[name]
	if !found {
		chosen = Options{Tenant: tenant}
	}
	manifests := &Manifests{Namespace: "default"}
	for _, content := range contents {
		if err := manifests.Read(name, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	return manifests.Convert(chosen)
}

// printed returns what a function writes.
func printed(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var output strings.Builder
	if err := write(&output); err != nil {
		t.Fatal(err)
	}
	return output.String()
}

func compareWithFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// checkObjects checks that a cluster takes the objects, and that JSON and YAML have the same. It does not trust the files.
func checkObjects(t *testing.T, result *Result) {
	t.Helper()
	if len(result.Identities) == 0 {
		return
	}
	text := printed(t, result.PrintYAML)
	if _, err := manifest.Parse("none", manifest.File{Name: "output", Content: []byte(text)}); err != nil {
		t.Errorf("the definitions do not admit the objects: %v\n%s", err, text)
	}
	var list struct{ Items []any }
	if err := json.Unmarshal([]byte(printed(t, result.PrintJSON)), &list); err != nil {
		t.Fatal(err)
	}
	var documents []any
	for document := range strings.SplitSeq(text, "---\n") {
		var object any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		documents = append(documents, object)
	}
	if diff := cmp.Diff(documents, list.Items); diff != "" {
		t.Errorf("(-YAML +JSON):\n%s", diff)
	}
}

// checkOrder checks that the same documents in another order become the same.
func checkOrder(t *testing.T, name, content string, want *Result) {
	t.Helper()
	documents := strings.Split(content, "\n---\n")
	slices.Reverse(documents)
	got := convert(t, name, documents...)
	for _, write := range []func(*Result, io.Writer) error{(*Result).PrintYAML, (*Result).Report} {
		print := func(result *Result) string {
			return printed(t, func(output io.Writer) error { return write(result, output) })
		}
		if diff := cmp.Diff(print(want), print(got)); diff != "" {
			t.Errorf("in reverse order (-forward +reverse):\n%s", diff)
		}
	}
}
