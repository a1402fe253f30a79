package dev

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/cabundle"
)

// appServicePath is where IDENTITY_ENDPOINT points.
const appServicePath = "/msi/token"

// routes leads requests to what answers them. IMDS answers all that is nobody else's, with paths as they came.
type routes struct {
	imds, appService, documents, authority http.Handler
}

func (r *routes) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	switch {
	case request.URL.Path == appServicePath:
		r.appService.ServeHTTP(writer, request)
	case request.URL.Path == cabundle.CertificatePath:
		r.authority.ServeHTTP(writer, request)
	case uuid.Validate(first) == nil:
		r.documents.ServeHTTP(writer, request)
	default:
		r.imds.ServeHTTP(writer, request)
	}
}

// isLocalHost tells whether a request was made to an address, to localhost, or, as in HTTP/1.0, to nobody by name. A web page whose own name was made to
// point at 127.0.0.1 (DNS rebinding) could otherwise read tokens by way of its visitor's browser.
func isLocalHost(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if name == "" || strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}
