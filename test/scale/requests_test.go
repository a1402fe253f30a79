package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	user = `"user":{"username":"system:serviceaccount:kube-imds-system:kube-imds-issuer"}`

	watchBegins = `{"stage":"ResponseStarted","verb":"watch",` + user + `,"objectRef":{"resource":"configmaps","name":"kube-imds-ca"}}` + "\n"
	watchEnds   = `{"stage":"ResponseComplete","verb":"watch",` + user + `,"objectRef":{"resource":"configmaps","name":"kube-imds-ca"}}` + "\n"
	keys        = `{"stage":"ResponseComplete","verb":"get",` + user + `,"requestURI":"/openid/v1/jwks"}` + "\n"
	signed      = `{"stage":"ResponseComplete","verb":"patch",` + user +
		`,"objectRef":{"resource":"certificatesigningrequests","subresource":"status"}}` + "\n"
)

// A watch counts when it begins, and each request once, even if the log is read while it is being written.
func TestRequestsAreCountedOnce(t *testing.T) {
	t.Parallel()
	log := &requestLog{path: filepath.Join(t.TempDir(), "requests")}
	var written string
	for _, step := range []struct {
		text string
		want requests
	}{
		{watchBegins + keys + signed[:30], requests{{"issuer", "watch", "configmaps"}: 1, {"issuer", "get", "/openid/v1/jwks"}: 1}},
		{signed[30:] + watchEnds, requests{{"issuer", "patch", "certificatesigningrequests/status"}: 1}},
		{"", requests{}},
	} {
		written += step.text
		if err := os.WriteFile(log.path, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := log.next()
		if diff := cmp.Diff(step.want, got); err != nil || diff != "" {
			t.Errorf("after %q: %v (-want +got)\n%s", step.text, err, diff)
		}
	}
}
