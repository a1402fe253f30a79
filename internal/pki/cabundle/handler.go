package cabundle

import (
	"crypto/x509"
	"net/http"
	"strings"
)

// PathPrefix is the prefix of every CertificatePath.
const PathPrefix = "/ca/"

const pathSuffix = ".cer"

// CertificatePath returns the path of an authority's certificate in DER, to which leaves refer (RFC 5280 section 4.2.2.1).
func CertificatePath(authority *x509.Certificate) string {
	return PathPrefix + KeyID(authority) + pathSuffix
}

// Handler serves the bundle's certificates by their key IDs.
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
