package oidc

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/token"
)

// How long validators may cache the documents. A key is published for longer before it signs.
const (
	discoveryAge = "public, max-age=86400"
	keysAge      = "public, max-age=300"
)

// Documents serves the documents of existing tenants.
type Documents struct {
	// BaseURL is the address of the documents, without a trailing slash.
	BaseURL string

	// DefaultTenant exists even without an identity.
	DefaultTenant v1alpha1.GUID

	// Published returns the published state; nil while it is unknown.
	Published func() *published.Published

	Now func() time.Time
	Log logr.Logger
}

// Handler returns the handler of all paths.
func (d *Documents) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", d.ofTenant(discoveryAge, d.discovery(token.Discovery)))
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", d.ofTenant(keysAge, keys))
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", d.ofTenant(discoveryAge, d.discovery(token.DiscoveryV1)))
	mux.HandleFunc("GET /{tenant}/discovery/keys", d.ofTenant(keysAge, keys))
	return mux
}

var errUnknown = errors.New("what is published is not known yet")

// ofTenant serves a document of a tenant, or that the tenant does not exist.
func (d *Documents) ofTenant(age string, render func(known *published.Published, tenant string) ([]byte, error)) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		known, tenant := d.Published(), strings.ToLower(request.PathValue("tenant"))
		if tenant != string(d.DefaultTenant) {
			if known == nil {
				d.fail(writer, errUnknown)
				return
			}
			if !known.Tenants[tenant] {
				refuseTenant(writer, request.PathValue("tenant"), d.Now())
				return
			}
		}
		document, err := render(known, tenant)
		if err != nil {
			d.fail(writer, err)
			return
		}
		write(writer, request, age, document)
	}
}

// discovery serves a version of the discovery document, which does not depend on the published state.
func (d *Documents) discovery(render func(baseURL, tenant string) ([]byte, error)) func(*published.Published, string) ([]byte, error) {
	return func(_ *published.Published, tenant string) ([]byte, error) { return render(d.BaseURL, tenant) }
}

func keys(known *published.Published, _ string) ([]byte, error) {
	if known == nil {
		return nil, errUnknown
	}
	return known.JWKS, nil
}

// write responds with a document, or 304 if the client has it.
func write(writer http.ResponseWriter, request *http.Request, age string, document []byte) {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.Header().Set("Cache-Control", age)
	writer.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(document)))
	http.ServeContent(writer, request, "", time.Time{}, bytes.NewReader(document))
}

// maxToldTenant bounds what an error quotes of an unknown tenant.
const maxToldTenant = 64

// refuseTenant responds as Entra does for an unknown tenant (tokens.md section 3, AADSTS90002).
func refuseTenant(writer http.ResponseWriter, tenant string, now time.Time) {
	tenant = tenant[:min(len(tenant), maxToldTenant)]
	writeError(writer, http.StatusBadRequest, "invalid_tenant",
		fmt.Sprintf("AADSTS90002: Tenant '%s' not found. No ManagedIdentity of this cluster is in it.", tenant), []int{90002}, now)
}

func (d *Documents) fail(writer http.ResponseWriter, err error) {
	d.Log.Error(err, "cannot answer")
	writer.Header().Set("Retry-After", "5")
	writeError(writer, http.StatusServiceUnavailable, "temporarily_unavailable", "AADSTS90033: A transient error has occurred. Please try again.", []int{90033}, d.Now())
}

func writeError(writer http.ResponseWriter, status int, code, description string, codes []int, now time.Time) {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(map[string]any{
		"error": code, "error_description": description, "error_codes": codes,
		"timestamp": now.UTC().Format("2006-01-02 15:04:05Z"),
	})
}
