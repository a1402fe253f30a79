package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
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

	rendered atomic.Pointer[rendered]
}

// Handler returns the handler of all paths.
func (d *Documents) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, one := range map[string]kind{
		"/v2.0/.well-known/openid-configuration": {discoveryAge, d.discovery(token.Discovery)},
		"/discovery/v2.0/keys":                   {keysAge, keys},
		"/.well-known/openid-configuration":      {discoveryAge, d.discovery(token.DiscoveryV1)},
		"/discovery/keys":                        {keysAge, keys},
	} {
		mux.HandleFunc("GET /{tenant}"+path, d.ofTenant(&one))
	}
	return mux
}

// kind is a kind of document that each tenant has.
type kind struct {
	age    string
	render func(known *published.Published, tenant string) ([]byte, error)
}

var errUnknown = errors.New("what is published is not known yet")

// ofTenant serves a document of a tenant, or that the tenant does not exist.
func (d *Documents) ofTenant(one *kind) http.HandlerFunc {
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
		found, err := d.find(known, one, tenant)
		if err != nil {
			d.fail(writer, err)
			return
		}
		found.serve(writer, request, one.age)
	}
}

// find returns a document of an existing tenant, and renders it if it is the first time since something else was published.
func (d *Documents) find(known *published.Published, one *kind, tenant string) (*document, error) {
	current := d.rendered.Load()
	if current == nil || current.of != known {
		current = &rendered{of: known}
		d.rendered.Store(current)
	}
	type key struct {
		*kind
		tenant string
	}
	if found, ok := current.documents.Load(key{one, tenant}); ok {
		return found.(*document), nil
	}
	body, err := one.render(known, tenant)
	if err != nil {
		return nil, err
	}
	found, _ := current.documents.LoadOrStore(key{one, tenant}, newDocument(body))
	return found.(*document), nil
}

// discovery renders a version of the discovery document, which does not depend on the published state.
func (d *Documents) discovery(render func(baseURL, tenant string) ([]byte, error)) func(*published.Published, string) ([]byte, error) {
	return func(_ *published.Published, tenant string) ([]byte, error) { return render(d.BaseURL, tenant) }
}

func keys(known *published.Published, _ string) ([]byte, error) {
	if known == nil {
		return nil, errUnknown
	}
	return known.JWKS, nil
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
