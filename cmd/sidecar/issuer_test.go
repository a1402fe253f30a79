package main

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

const (
	podToken    = "the-pods-own-token"
	accessToken = "header.claims.signature"
	eventID     = "C7061BAC-AFDC-4513-B24B-AA5F13A16123"
)

// fakeIssuer serves a test's grant over the issuer's API.
type fakeIssuer struct {
	*httptest.Server
	tokenFile string

	mu       sync.Mutex
	revision string
	withdrew bool
	throttle bool
	changed  chan struct{}
}

func newFakeIssuer(t *testing.T) *fakeIssuer {
	t.Helper()
	issuer := &fakeIssuer{revision: "r1", changed: make(chan struct{}), tokenFile: filepath.Join(publicDir(t), "token")}
	if err := os.WriteFile(issuer.tokenFile, []byte(podToken), 0o644); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+issuerapi.TokenPath, issuer.token)
	mux.HandleFunc("GET "+issuerapi.GrantPath, issuer.grant)
	mux.HandleFunc("GET "+issuerapi.InstancePath, func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, issuerapi.Instance{Name: "orders", Location: "westeurope"})
	})
	mux.HandleFunc("GET "+issuerapi.EventsPath, func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, issuerapi.Events{PodName: "orders", Events: []issuerapi.Event{{ID: eventID, Type: "Redeploy"}}})
	})
	issuer.Server = httptest.NewUnstartedServer(issuer.throttling(mux))
	issuer.Config.ErrorLog = log.New(io.Discard, "", 0)
	issuer.StartTLS()
	t.Cleanup(issuer.Close)
	return issuer
}

func (i *fakeIssuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	withdrew := i.withdrew
	i.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+podToken:
		write(w, http.StatusUnauthorized, issuerapi.Error{Code: "invalid_token", Description: "who are you"})
	case withdrew:
		write(w, http.StatusBadRequest, issuerapi.Error{Code: "invalid_request", Description: "Identity not found"})
	default:
		now := time.Now()
		write(w, http.StatusOK, issuerapi.TokenResponse{AccessToken: accessToken, ClientID: "c",
			NotBefore: now.Unix(), ExpiresOn: now.Add(time.Hour).Unix()})
	}
}

// grant holds a request until the grant changes.
func (i *fakeIssuer) grant(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	revision, changed := i.revision, i.changed
	i.mu.Unlock()
	if strings.Trim(r.Header.Get("If-None-Match"), `"`) == revision {
		select {
		case <-changed:
			i.grant(w, r)
		case <-r.Context().Done():
		}
		return
	}
	write(w, http.StatusOK, issuerapi.Grant{Revision: revision})
}

// throttling throttles all requests if a test says so.
func (i *fakeIssuer) throttling(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		throttle := i.throttle
		i.mu.Unlock()
		if !throttle || r.URL.Path == issuerapi.GrantPath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", "3")
		write(w, http.StatusTooManyRequests, issuerapi.Error{Code: "invalid_request", Description: "Temporarily throttled, too many requests"})
	})
}

// withdraw withdraws the grant.
func (i *fakeIssuer) withdraw() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.withdrew, i.revision = true, "r2"
	close(i.changed)
}

func (i *fakeIssuer) authority() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw}))
}

func (i *fakeIssuer) client(t *testing.T) *issuerclient.Client {
	t.Helper()
	client, err := issuerclient.New(issuerclient.Options{URL: i.URL, CA: i.authority(), TokenFile: i.tokenFile})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func write(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	// A failed write fails the test by its missing response.
	_ = json.NewEncoder(w).Encode(body)
}
