package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// tokenBytes is the usual length of Entra's tokens for managed identities.
const tokenBytes = 1500

// newIssuer returns an issuer that always returns the same token, for the sidecar to cache.
func newIssuer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc(issuerapi.TokenPath, func(w http.ResponseWriter, _ *http.Request) {
		write(w, issuerapi.TokenResponse{
			AccessToken: strings.Repeat("x", tokenBytes),
			ClientID:    "11111111-2222-3333-4444-555555555555",
			NotBefore:   time.Now().Unix(),
			ExpiresOn:   time.Now().Add(24 * time.Hour).Unix(),
		})
	})
	mux.HandleFunc(issuerapi.GrantPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			<-r.Context().Done()
			return
		}
		write(w, issuerapi.Grant{Revision: "1"})
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	return server
}

func write(w http.ResponseWriter, body any) {
	// If it does not arrive, the sidecar has nothing to serve, and reports that.
	_ = json.NewEncoder(w).Encode(body)
}
