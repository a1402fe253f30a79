package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// issuerURL matches openssl's output of a certificate's issuer URL.
var issuerURL = regexp.MustCompile(`CA Issuers - URI:(http://\S+)`)

// testPodIsAttested verifies a pod's attested document as described in Azure's documentation: with openssl, by a chain
// to the issuer whose URL is in the certificate.
func testPodIsAttested(t *testing.T, c *cluster) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	home := c.namespace(t)
	identity := c.identity(t, home+"-orders", home)
	pod := c.start(t, newProbePod(c, home, "attested", "wait").withIdentity(identity.Name))
	var answer struct{ Encoding, Signature string }
	c.imdsJSON(t, pod, "/metadata/attested/document?api-version=2021-02-01&nonce=1234567890", &answer)
	signature, err := base64.StdEncoding.DecodeString(answer.Signature)
	must(t, err, "read the signature")

	folder := t.TempDir()
	document, leaf, authority := filepath.Join(folder, "document"), filepath.Join(folder, "leaf"), filepath.Join(folder, "authority")
	must(t, os.WriteFile(document, signature, 0o600), "write the document")
	run := func(arguments ...string) []byte {
		t.Helper()
		var output, errors bytes.Buffer
		command := exec.CommandContext(t.Context(), openssl, arguments...)
		command.Stdout, command.Stderr = &output, &errors
		must(t, command.Run(), "openssl %v: %s", arguments, &errors)
		return output.Bytes()
	}
	must(t, os.WriteFile(leaf, run("pkcs7", "-inform", "der", "-in", document, "-print_certs"), 0o600), "write the certificate")
	found := issuerURL.FindSubmatch(run("x509", "-in", leaf, "-noout", "-text"))
	if found == nil {
		t.Fatal("the certificate has no issuer URL")
	}
	must(t, os.WriteFile(authority, c.authorityAt(t, pod, string(found[1])), 0o600), "write the authority")

	run("verify", "-CAfile", authority, leaf)
	checkAttested(t, run("smime", "-verify", "-inform", "der", "-in", document, "-CAfile", authority, "-purpose", "any"), pod)
}

// authorityAt fetches an authority's certificate from inside the pod. It must be a published one.
func (c *cluster) authorityAt(t *testing.T, pod *corev1.Pod, url string) []byte {
	t.Helper()
	a, err := c.get(t.Context(), pod, "--binary", url)
	must(t, err, "get %s", url)
	der, err := base64.StdEncoding.DecodeString(a.Body)
	must(t, err, "read the response from %s: %+v", url, a)
	fetched := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if published := c.authorities(t); !strings.Contains(published, string(fetched)) {
		t.Errorf("%s has\n%s\npublished are\n%s", url, fetched, published)
	}
	return fetched
}

func checkAttested(t *testing.T, content []byte, pod *corev1.Pod) {
	t.Helper()
	var document struct{ VMID, Nonce, SubscriptionID string }
	must(t, json.Unmarshal(content, &document), "read the document %s", content)
	if document.VMID != string(pod.UID) || document.Nonce != "1234567890" || document.SubscriptionID == "" {
		t.Errorf("document = %s, pod UID = %s", content, pod.UID)
	}
}
