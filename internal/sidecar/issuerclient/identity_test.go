package issuerclient

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/imds"
)

func TestIdentityIsRead(t *testing.T) {
	t.Parallel()
	var asked string
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.Path + " " + string(body)
		io.WriteString(w, `{"tenant_id":"t"}`)
	}).client(t)
	got, err := client.Identity(t.Context(), imds.Selector{ObjectID: "o"})
	if difference := cmp.Diff(&imds.Identity{TenantID: "t"}, got); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
	if want := `POST /v1/identity {"object_id":"o"}`; asked != want {
		t.Errorf("the issuer is asked %s, not %s", asked, want)
	}
}

func TestIdentityIsRefused(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"error":"invalid_request","error_description":"Identity not found"}`)
	}).client(t)
	_, err := client.Identity(t.Context(), imds.Selector{})
	var told *imds.Error
	if !errors.As(err, &told) || told.Description != "Identity not found" {
		t.Errorf("the error is %v", err)
	}
}
