// Package keyvault serves Key Vault's data plane (tokens.md section 7). It issues no tokens: like any resource server it validates
// those of others, and then asks which roles the caller has.
package keyvault

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Server serves vaults.
type Server struct {
	// Find returns the vault of a host name, or nil.
	Find func(ctx context.Context, host string) (*Vault, error)

	// Assignments returns the role assignments of a vault.
	Assignments func(ctx context.Context, vault *Vault) ([]role.Assignment, error)

	Bearer *bearer.Validator

	// Records keeps the objects of all vaults.
	Records store.Records

	// Location is the Azure region that answers name.
	Location string

	Now func() time.Time

	// Log is the audit log.
	Log logr.Logger
}

// exchange is a request and what is known of it.
type exchange struct {
	request *http.Request
	vault   *Vault
	caller  bearer.Caller

	// kind is the kind of objects in the path, or nil; name and version are the object's, or "".
	kind          *kind
	name, version string

	action role.Action

	// header is the answer's.
	header http.Header
}

// operation answers an authorized request with a status and a body.
type operation func(x *exchange) (int, any, error)

// routes are the operations by the patterns of their requests.
type routes map[string]route

// route is an operation and the action that it needs.
type route struct {
	action role.Action
	run    operation
}

// Handler returns the handler of all vaults.
func (s *Server) Handler() http.Handler {
	kinds := s.newKinds()
	objects, authorities, all := http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	for _, one := range kinds.all() {
		s.handle(objects, one, one.routes())
	}
	s.handle(objects, nil, routes{"POST /rng": {role.ReadKey, randomBytes}, "/": {}})
	s.handle(authorities, kinds.certificates.kind, kinds.certificates.authorities())
	s.handle(authorities, nil, routes{"/": {}})
	all.Handle("/", objects)
	for _, path := range []string{"/certificates/contacts", "/certificates/issuers", "/certificates/issuers/"} {
		all.Handle(path, authorities)
	}
	return withoutEmptyParts(all)
}

// handle adds the operations of a kind.
func (s *Server) handle(mux *http.ServeMux, kind *kind, all routes) {
	for pattern, one := range all {
		mux.HandleFunc(pattern, s.serve(kind, one))
	}
}

// withoutEmptyParts serves paths in which SDKs leave something out: a version, as in /keys/NAME//sign, or a name, as the one for .NET does when it
// lists /secrets/.
func withoutEmptyParts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		path := "/" + strings.Trim(emptyParts.ReplaceAllString(request.URL.Path, "/"), "/")
		if path != request.URL.Path {
			request.URL.Path, request.URL.RawPath = path, ""
		}
		next.ServeHTTP(writer, request)
	})
}

var emptyParts = regexp.MustCompile("/{2,}")

// kinds are all kinds of objects.
type kinds struct {
	secrets      *kind
	keys         keys
	certificates *certificates
}

func (s *Server) newKinds() kinds {
	certificates := s.newCertificates()
	all := kinds{s.newSecrets(certificates.kind), s.newKeys(certificates.kind), certificates}
	certificates.others = []*kind{all.secrets, all.keys.kind}
	return all
}

func (k kinds) all() []*kind { return []*kind{k.secrets, k.keys.kind, k.certificates.kind} }

// serve answers a request: it finds the vault, authenticates and authorizes the caller, and runs the operation.
func (s *Server) serve(kind *kind, to route) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		x := &exchange{
			request: request, action: to.action, kind: kind, header: writer.Header(),
			name: request.PathValue("name"), version: strings.Trim(request.PathValue("version"), "/"),
		}
		s.describe(writer, request)
		status, body, err := s.answer(x, to.run)
		if err != nil {
			s.fail(writer, x, err)
			return
		}
		s.audit(x, status, nil)
		if body == nil {
			writer.WriteHeader(status)
			return
		}
		// If it does not arrive, nobody waits for it any more.
		_ = writeJSON(writer, status, body)
	}
}

func (s *Server) answer(x *exchange, run operation) (int, any, error) {
	vault, err := s.Find(x.request.Context(), hostOf(x.request))
	if err != nil {
		return 0, nil, err
	}
	if vault == nil {
		return 0, nil, &Failure{Status: http.StatusNotFound, Code: "VaultNotFound", Message: "No vault of this cluster has this host name."}
	}
	x.vault = vault
	if x.caller, err = s.Bearer.Validate(x.request.Header.Get("Authorization"), vault.TenantID, vault.Resource); err != nil {
		x.header.Set("WWW-Authenticate", challenge(vault))
		return 0, nil, unauthorized(err)
	}
	if run == nil {
		return 0, nil, &Failure{Status: http.StatusNotFound, Code: "NotFound", Message: "There is no such operation."}
	}
	if err := checkVersion(x.request); err != nil {
		return 0, nil, err
	}
	if x.name != "" && !validName.MatchString(x.name) {
		return 0, nil, badParameter("The request URI contains an invalid name: %s", cut(x.name))
	}
	if err := s.authorize(x); err != nil {
		return 0, nil, err
	}
	return run(x)
}

// authorize asks whether the caller has a role with the action.
func (s *Server) authorize(x *exchange) error {
	assignments, err := s.Assignments(x.request.Context(), x.vault)
	if err != nil {
		return err
	}
	at := role.Scope{Namespace: x.vault.Namespace, KeyVault: x.vault.Name}
	if x.name != "" {
		at.Object = role.Object{Kind: x.kind.plural, Name: x.name}
	}
	if !role.Decide(assignments, x.caller.ObjectID, x.action, at) {
		return notAuthorized(x, x.action)
	}
	return nil
}

// validName is what the name of an object may be (tokens.md section 7).
var validName = regexp.MustCompile(`^[0-9a-zA-Z-]{1,127}$`)

// versions are the API versions that are served.
var versions = []string{
	"2016-10-01", "7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-06-01-preview", "2025-07-01", "2026-04-01",
}

func checkVersion(request *http.Request) error {
	asked := request.URL.Query().Get("api-version")
	switch {
	case asked == "":
		return badParameter("api-version must be specified")
	case !slices.Contains(versions, asked):
		return badParameter("The specified version (%s) is not recognized. Consider using the latest supported version (%s).",
			cut(asked), versions[len(versions)-1])
	}
	return nil
}

// describe sets the headers of every answer.
func (s *Server) describe(writer http.ResponseWriter, request *http.Request) {
	header := writer.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("x-ms-keyvault-region", s.Location)
	header.Set("x-ms-request-id", uuid.NewString())
	header.Set("Strict-Transport-Security", "max-age=31536000;includeSubDomains")
	header.Set("X-Content-Type-Options", "nosniff")
	if id := request.Header.Get("x-ms-client-request-id"); id != "" && len(id) <= maxCut {
		header.Set("x-ms-client-request-id", id)
	}
}

// challenge is the answer to a request without a token: SDKs send the first one so.
func challenge(vault *Vault) string {
	return `Bearer authorization="` + vault.Authority + `", resource="` + vault.Resource + `"`
}

// unauthorized returns the failure of a token that is not accepted (tokens.md section 7).
func unauthorized(err error) *Failure {
	failed := &Failure{Status: http.StatusUnauthorized, Code: "Unauthorized"}
	refusal, _ := errors.AsType[*bearer.Refusal](err)
	switch refusal.Reason {
	case bearer.Missing:
		failed.Message = "AKV10000: Request is missing a Bearer or PoP token."
	case bearer.WrongAudience:
		failed.Message = "AKV10022: Invalid audience."
	case bearer.WrongIssuer:
		failed.Message = "AKV10032: Invalid issuer."
	case bearer.UnknownKey:
		failed.Message = "AKV10046: Unable to resolve the key used for signature validation."
	default:
		failed.Message = "AKV10045: Token validation failed: " + string(refusal.Reason) + "."
	}
	return failed
}

// fail answers with a failure. What the cluster could not do passes by itself.
func (s *Server) fail(writer http.ResponseWriter, x *exchange, err error) {
	failed := failureOf(err)
	if failed == nil {
		s.Log.Error(err, "cannot answer")
		failed = unavailable()
	}
	s.audit(x, failed.Status, failed)
	_ = failed.write(writer)
}

// audit writes a line for every decision.
func (s *Server) audit(x *exchange, status int, failed *Failure) {
	values := []any{"method", x.request.Method, "status", status, "action", string(x.action), "oid", x.caller.ObjectID, "appid", x.caller.ClientID, "source", x.request.RemoteAddr}
	if x.vault != nil {
		values = append(values, "vault", x.vault.Namespace+"/"+x.vault.Name, "object", cut(x.name))
	}
	if failed != nil {
		reason := failed.Inner
		if reason == "" {
			reason = failed.Code
		}
		values = append(values, "reason", reason)
	}
	s.Log.Info("keyvault", values...)
}

// resource names what was asked for, as Azure's messages do.
func (x *exchange) resource() string {
	resource := "vaults/" + x.vault.Name
	if x.name != "" {
		resource += "/" + x.kind.plural + "/" + x.name
	}
	return resource
}

// hostOf returns the host name of a request in lower case, without a port.
func hostOf(request *http.Request) string {
	host, _, _ := strings.Cut(request.Host, ":")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// maxCut bounds what an answer or a log repeats of a request.
const maxCut = 128

func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxCut)], "?") }
