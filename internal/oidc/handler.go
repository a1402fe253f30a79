// Package oidc serves what validators need to verify local tokens: discovery documents and the JWKS, in Entra's shapes
// and at Entra's paths (tokens.md section 2). Every controller replica serves it, from its caches; without a cluster,
// kubectl imds dev does.
package oidc

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// How long validators may keep the documents. A key is published ten minutes before it signs.
const (
	discoveryAge = "public, max-age=86400"
	keysAge      = "public, max-age=300"
)

// Documents serves the tenants that exist.
type Documents struct {
	// BaseURL is where the documents are, without an ending slash.
	BaseURL string

	// DefaultTenant exists even with no identity.
	DefaultTenant v1alpha1.GUID

	// Source knows the other tenants and the keys.
	Source Source

	Now func() time.Time
	Log logr.Logger
}

// Handler routes the paths.
func (d *Documents) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", d.ofTenant(discoveryAge, d.discovery))
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", d.ofTenant(keysAge, d.keys))
	return mux
}

// ofTenant answers with a tenant's document, or that there is no such tenant.
func (d *Documents) ofTenant(age string, render func(request *http.Request, tenant string) ([]byte, error)) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		tenant, err := d.tenant(request)
		if err != nil {
			d.fail(writer, err)
			return
		}
		if tenant == "" {
			refuseTenant(writer, request.PathValue("tenant"), d.Now())
			return
		}
		document, err := render(request, tenant)
		if err != nil {
			d.fail(writer, err)
			return
		}
		write(writer, request, age, document)
	}
}

func (d *Documents) discovery(_ *http.Request, tenant string) ([]byte, error) {
	return token.Discovery(d.BaseURL, tenant)
}

func (d *Documents) keys(request *http.Request, _ string) ([]byte, error) {
	keys, err := d.Source.SigningKeys(request.Context())
	if err != nil {
		return nil, err
	}
	// A cache has no order, and the same keys must give the same ETag.
	slices.SortFunc(keys, func(a, b v1alpha1.SigningKey) int { return cmp.Compare(a.Name, b.Name) })
	document, unreadable, err := token.JWKS(keys, d.Now())
	for _, err := range unreadable {
		d.Log.Error(err, "left a signing key out of the JWKS")
	}
	return document, err
}

// tenant is the tenant that a request names, in lower case; empty if it does not exist.
func (d *Documents) tenant(request *http.Request) (string, error) {
	named := strings.ToLower(request.PathValue("tenant"))
	if named == string(d.DefaultTenant) {
		return named, nil
	}
	exists, err := d.Source.HasTenant(request.Context(), named)
	if err != nil || !exists {
		return "", err
	}
	return named, nil
}

// write answers with a document, or that it is still the one that the client has.
func write(writer http.ResponseWriter, request *http.Request, age string, document []byte) {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.Header().Set("Cache-Control", age)
	writer.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(document)))
	http.ServeContent(writer, request, "", time.Time{}, bytes.NewReader(document))
}

// refuseTenant answers as Entra does for a tenant that it does not have (tokens.md section 3, AADSTS90002).
func refuseTenant(writer http.ResponseWriter, tenant string, now time.Time) {
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
