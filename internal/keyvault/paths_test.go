package keyvault

import (
	"net/http"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// The SDK for .NET has a slash at the end where others have none.
func TestPathsMayEndInASlash(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	for _, path := range []string{
		"/secrets", "/keys", "/certificates", "/deletedsecrets", "/deletedkeys", "/deletedcertificates", "/certificates/issuers",
	} {
		const query = "?api-version=7.6"
		status, body := f.send(t, http.MethodGet, path+"/"+query, "")
		if _, want := f.send(t, http.MethodGet, path+query, ""); status != http.StatusOK || body != want {
			t.Errorf("%s/: got %d %s, want %s", path, status, body, want)
		}
	}
}
