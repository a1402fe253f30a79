package webhook

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what is got to testdata/*.out.yaml")

// TestInjection compares injected pods with reviewed files: testdata/NAME.in.yaml becomes
// testdata/NAME.out.yaml. To accept changes: go test ./webhook -run TestInjection -update.
func TestInjection(t *testing.T) {
	t.Parallel()
	testInjection(t, "testdata", newMutator(t, shop()...))
}

// TestInjectionByAddress does the same for sidecars that listen on 169.254.169.254, in testdata/address.
func TestInjectionByAddress(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	m.options.Interception = Address
	testInjection(t, "testdata/address", m)
}

// TestInjectionOfWorkloadIdentity does the same for manifests for azure-workload-identity, in testdata/workload-identity.
func TestInjectionOfWorkloadIdentity(t *testing.T) {
	t.Parallel()
	testInjection(t, "testdata/workload-identity", newWorkloadIdentityMutator(t))
}

func testInjection(t *testing.T, folder string, m *mutator) {
	t.Helper()
	inputs, err := filepath.Glob(filepath.Join(folder, "*.in.yaml"))
	if err != nil || len(inputs) == 0 {
		t.Fatal("no input files", err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".in.yaml")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := readJSON(t, input)
			result := injected(t, m, raw)
			compareWithFile(t, strings.TrimSuffix(input, ".in.yaml")+".out.yaml", result)
			checkOwnParts(t, raw, result)
			if again := injected(t, m, result); !bytes.Equal(again, result) {
				t.Errorf("the second run (-first +second):\n%s", cmp.Diff(string(result), string(again)))
			}
		})
	}
}

func readJSON(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.YAMLToJSON(content)
	if err != nil {
		t.Fatal(file, err)
	}
	return raw
}

func compareWithFile(t *testing.T, file string, result []byte) {
	t.Helper()
	got, err := yaml.JSONToYAML(result)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// checkOwnParts checks that the pod without our parts is unchanged. It does not trust the files.
func checkOwnParts(t *testing.T, raw, result []byte) {
	t.Helper()
	if diff := cmp.Diff(withoutOurs(t, raw), withoutOurs(t, result)); diff != "" {
		t.Errorf("the pod's own parts (-before +after):\n%s", diff)
	}
}

// withoutOurs returns a pod without the parts that the webhook may add or change, and without empty values.
func withoutOurs(t *testing.T, raw []byte) any {
	t.Helper()
	var pod any
	if err := yaml.Unmarshal(raw, &pod); err != nil {
		t.Fatal(err)
	}
	return trim(pod)
}

// trim removes our parts, by their names, from any part of a pod.
func trim(part any) any {
	switch part := part.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, value := range part {
			if value = trim(value); value != nil && !strings.HasPrefix(key, "kube-imds.io/") {
				kept[key] = value
			}
		}
		if len(kept) > 0 {
			return kept
		}
	case []any:
		var kept []any
		for _, item := range part {
			if item = trim(item); item != nil && !isAdded(item) {
				kept = append(kept, item)
			}
		}
		if len(kept) > 0 {
			return kept
		}
	default:
		return part
	}
	return nil
}

func isAdded(item any) bool {
	fields, _ := item.(map[string]any)
	switch fields["name"] {
	case "kube-imds", "kube-imds-net-init", "kube-imds-token", "NO_PROXY", "no_proxy", "net.ipv4.ip_unprivileged_port_start",
		"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE",
		"azwi-proxy", "azwi-proxy-init", "kube-imds-trust", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "JAVA_TOOL_OPTIONS":
		return true
	}
	name, _ := fields["name"].(string)
	return strings.HasPrefix(name, "azure-workload-identity-reserved-")
}
