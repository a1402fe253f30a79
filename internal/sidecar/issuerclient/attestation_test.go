package issuerclient

import (
	"io"
	"net/http"
	"testing"

	"github.com/kube-imds/kube-imds/internal/imds"
)

func TestAttestationIsRead(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		io.WriteString(w, `{"signature":"MIL/"}`)
	}).client(t)
	got, err := client.Attest(t.Context(), imds.AttestationRequest{Nonce: "n", Version: "2021-02-01"})
	if err != nil || string(got) != "\x30\x82\xff" {
		t.Errorf("the document is %x, %v", got, err)
	}
	if want := `POST /v1/attestation {"nonce":"n","version":"2021-02-01"}`; asked != want {
		t.Errorf("the issuer is asked %s, not %s", asked, want)
	}
}
