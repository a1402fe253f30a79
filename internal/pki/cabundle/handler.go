package cabundle

import (
	"crypto/x509"
	"net/http"
	"strings"
)

// PathPrefix is what every CertificatePath begins with.
const PathPrefix = "/ca/"

const pathSuffix = ".cer"

// CertificatePath is where an authority's certificate is, in DER, as the certificates that its key has signed say where it is
// (RFC 5280 section 4.2.2.1).
func CertificatePath(authority *x509.Certificate) string {
	return PathPrefix + KeyID(authority) + pathSuffix
}

// Handler gives out the bundle's certificates by their keys' IDs, and nothing else.
func Handler(current func() Bundle) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathPrefix+"{file}", func(writer http.ResponseWriter, request *http.Request) {
		bundle := current()
		if bundle == nil {
			writer.Header().Set("Retry-After", "5")
			http.Error(writer, "there is no certificate authority yet", http.StatusServiceUnavailable)
			return
		}
		keyID, named := strings.CutSuffix(request.PathValue("file"), pathSuffix)
		certificate := bundle.Find(keyID)
		if !named || certificate == nil {
			http.NotFound(writer, request)
			return
		}
		writer.Header().Set("Content-Type", "application/pkix-cert")
		_, _ = writer.Write(certificate.Raw)
	})
	return mux
}
