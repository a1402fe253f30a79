package issuerclient

import (
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestGrantIsAskedForByRevision(t *testing.T) {
	t.Parallel()
	client := newIssuer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("If-None-Match") {
		case "":
			io.WriteString(w, `{"revision":"r1","identities":[{"client_id":"c","object_id":"o","resource_id":"/r","default":true}]}`)
		case `"r1"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}).client(t)

	got, err := client.Grant(t.Context(), "")
	want := &issuerapi.Grant{Revision: "r1", Identities: []issuerapi.GrantIdentity{{ClientID: "c", ObjectID: "o", ResourceID: "/r", Default: true}}}
	if difference := cmp.Diff(want, got); err != nil || difference != "" {
		t.Errorf("the first grant, %v (-want +got):\n%s", err, difference)
	}
	if got, err := client.Grant(t.Context(), "r1"); got != nil || err != nil {
		t.Errorf("an unchanged grant is %v, %v", got, err)
	}
	if got, err := client.Grant(t.Context(), "r2"); got != nil || err == nil {
		t.Errorf("an issuer that is not ready gives %v, %v", got, err)
	}
}
