package main

import (
	"strings"
	"testing"
)

// TestHelp runs the program in this process. That also links the program into the tests, without which
// go test would use cached results although the program has changed.
func TestHelp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arguments []string
		want      []string
	}{
		"of the program": {nil, []string{"kubectl imds [command]", "dev         Answer as Azure's IMDS on this machine",
			"check       Check whether applications can reach the node's own metadata service"}},
		"of check": {[]string{"check"}, []string{
			"kubectl imds check [flags]", "kubectl imds check --node worker-1", "the exit status is 1", "It needs the right to make and remove pods",
		}},
		"of explain": {[]string{"explain"}, []string{
			"kubectl imds explain [NAME | TYPE/NAME]... [-f FILE]...", "kubectl imds explain deploy/orders", "It needs the rights to get the object", "--namespace", "--as",
		}},
		"of explain vault": {[]string{"explain", "vault"}, []string{
			"kubectl imds explain vault [NAMESPACE/]NAME (--identity NAME | --pod [NAMESPACE/]NAME)", "--operation \"get secret\" --object secrets/db-password",
			"It needs the rights to get the KeyVault",
		}},
		"of federation": {[]string{"federation"}, []string{"publish", "check", "credential"}},
		"of publish": {[]string{"federation", "publish"}, []string{
			"kubectl imds federation publish --out DIRECTORY", "az storage blob upload-batch", "kube_imds_signer_federation_published",
		}},
		"of credential": {[]string{"federation", "credential"}, []string{"kubectl imds federation credential NAME", "az, bicep, terraform", "| sh"}},
		"of convert": {[]string{"convert"}, []string{
			"kubectl imds convert -f FILE...", "| kubectl imds convert -f - --tenant", "The exit status is 3 if something was not converted", "--namespaced",
		}},
		"of dev": {[]string{"dev"}, []string{
			"kubectl imds dev [flags]", "kubectl imds dev -f identities.yaml --namespace shop",
			"it hides a cloud's own IMDS from", "It listens on loopback only", "(default \"127.0.0.1:8253\")",
			"kubectl imds dev -f identities.yaml --key-vault vault.yaml", "https://NAME.vault.localhost:8254", "(default \"127.0.0.1:8254\")",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			printed := new(strings.Builder)
			if err := execute(append(test.arguments, "--help"), printed); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(printed.String(), want) {
					t.Errorf("help misses %q:\n%s", want, printed)
				}
			}
		})
	}
}
