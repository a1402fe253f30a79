package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// annotatedAccount is a ServiceAccount of azure-workload-identity.
const annotatedAccount = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: orders
  annotations:
    azure.workload.identity/client-id: ` + paymentsClient + "\n"

const convertedAccount = `apiVersion: kube-imds.io/v1alpha1
kind: ManagedIdentity
metadata:
  name: shop-orders
spec:
  assumableBy:
  - namespaces:
    - shop
    serviceAccounts:
    - orders
  clientID: ` + paymentsClient + `
  tenantID: ` + otherTenant + `
  tokenSource: Entra
---
apiVersion: kube-imds.io/v1alpha1
kind: IdentityBinding
metadata:
  name: orders
  namespace: shop
spec:
  identities:
  - shop-orders
  serviceAccounts:
  - orders
`

// exception is an object that cannot be converted.
const exception = `---
apiVersion: aadpodidentity.k8s.io/v1
kind: AzurePodIdentityException
metadata: {name: agents}
`

// run runs the program, and returns what it prints and its exit status.
func run(t *testing.T, folder, input string, arguments ...string) (output, report string, status int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir, command.Stdin = folder, strings.NewReader(input)
	var printed, stderr bytes.Buffer
	command.Stdout, command.Stderr = &printed, &stderr
	var exit *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return printed.String(), stderr.String(), command.ProcessState.ExitCode()
}

func TestConvert(t *testing.T) {
	t.Parallel()
	file := write(t, exception)
	for name, test := range map[string]struct {
		input     string
		arguments []string
		status    int
		output    string
		report    string
	}{
		"everything": {annotatedAccount, []string{"-f", "-"}, 0, convertedAccount, "next: remove the label azure.workload.identity/use "},
		"not everything": {annotatedAccount, []string{"-f", "-", "-f", file}, 3, convertedAccount,
			"not converted: AzurePodIdentityException shop/agents: "},
		"nothing of something": {exception, []string{"-f", "-"}, 3, "", "kubectl imds: not everything was converted\n"},
		"nothing":              {"{apiVersion: v1, kind: Service}", []string{"-f", "-"}, 1, "", "kubectl imds: the input has no AzureIdentity and no ServiceAccount"},
		"malformed":            {annotatedAccount + "---\na: [", []string{"-f", "-"}, 1, "", "kubectl imds: read standard input, document 2: "},
		"no file":              {"", nil, 1, "", "kubectl imds: name a file with -f"},
		"missing file":         {"", []string{"-f", "missing.yaml"}, 1, "", "kubectl imds: read the files: open missing.yaml: "},
		"unknown format":       {"", []string{"-f", "-", "-o", "table"}, 1, "", `kubectl imds: read --output: unknown format "table"`},
		"invalid tenant":       {"", []string{"-f", "-", "--tenant", "contoso"}, 1, "", `kubectl imds: read --tenant: "contoso" is not a GUID`},
		"invalid namespace":    {"", []string{"-f", "-", "--namespace", "*"}, 1, "", `kubectl imds: read --namespace: "*": `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments := append([]string{"convert", "--namespace", "shop", "--tenant", strings.ToUpper(otherTenant)}, test.arguments...)
			output, report, status := run(t, t.TempDir(), test.input, arguments...)
			if status != test.status || !strings.Contains(report, test.report) {
				t.Errorf("ended with %d, want %d\n%s\nwant it to contain %s", status, test.status, report, test.report)
			}
			if diff := cmp.Diff(test.output, output); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConvertToJSON(t *testing.T) {
	t.Parallel()
	output, _, _ := run(t, t.TempDir(), annotatedAccount, "convert", "-f", "-", "-o", "json", "--tenant", otherTenant)
	if !strings.HasPrefix(output, `{
  "apiVersion": "v1",
  "kind": "List",
  "items": [
    {
      "kind": "ManagedIdentity",`) {
		t.Errorf("got %s", output)
	}
}

var (
	// pageFile matches a file that a page shows by a heading line, and pageCommand a command with all its output.
	pageFile    = regexp.MustCompile("(?s)`([a-z-]+\\.yaml)`:\n\n```yaml\n(.*?)```")
	pageCommand = regexp.MustCompile("(?s)```\n\\$ kubectl imds (convert [^\n]*)\n(.*?)```")
)

// TestMigrationPage runs the commands of docs/migration.md on the files that it shows.
func TestMigrationPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, file := range pageFile.FindAllSubmatch(page, -1) {
		if err := os.WriteFile(filepath.Join(folder, string(file[1])), file[2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := pageCommand.FindAllSubmatch(page, -1)
	if len(commands) != 2 {
		t.Fatalf("%d commands in the page", len(commands))
	}
	for _, command := range commands {
		output, report, _ := run(t, folder, "", strings.Fields(string(command[1]))...)
		if diff := cmp.Diff(string(command[2]), output+report); diff != "" {
			t.Errorf("%s (-page +printed):\n%s", command[1], diff)
		}
	}
}
