package authority

import (
	"encoding/pem"
	"net/http"
)

// CertificatePath is where the authority's certificate is, in DER, as certificates that it signed say where it is
// (RFC 5280 section 4.2.2.1).
const CertificatePath = "/ca.cer"

// Handler gives out the authority's certificate, and nothing else.
func (a *Authority) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+CertificatePath, func(writer http.ResponseWriter, request *http.Request) {
		block, _ := pem.Decode(a.Bundle(request.Context()))
		if block == nil {
			writer.Header().Set("Retry-After", "5")
			http.Error(writer, "there is no certificate authority yet", http.StatusServiceUnavailable)
			return
		}
		writer.Header().Set("Content-Type", "application/pkix-cert")
		_, _ = writer.Write(block.Bytes)
	})
	return mux
}
