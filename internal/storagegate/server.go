// Package storagegate is the gate before storage accounts. It validates tokens like any resource server, asks which roles the caller has, and
// passes requests on to Azurite, which does neither (tokens.md section 6).
package storagegate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/resource/stream"
)

// Server serves storage accounts.
type Server struct {
	// Find returns the account of a host name, or nil.
	Find func(ctx context.Context, host string) (*Account, error)

	// Assignments returns the role assignments of an account.
	Assignments func(ctx context.Context, account *Account) ([]role.Assignment, error)

	Bearer  *bearer.Validator
	Backend *Backend

	// Patience is how long a client may keep a body of an authorized request waiting.
	Patience time.Duration

	Now func() time.Time

	// Log is the audit log.
	Log logr.Logger

	buffers stream.Buffers
}

// exchange is a request and what is known of it.
type exchange struct {
	request *http.Request
	id      string
	query   url.Values

	account    *Account
	at         target
	operation  operation
	credential credential
	caller     bearer.Caller

	// source is the blob that is copied, or nil.
	source *source
}

// ServeHTTP answers a request of any account.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	x := &exchange{request: request, id: uuid.NewString()}
	if err := s.decide(x); err != nil {
		s.fail(writer, x, err)
		return
	}
	s.pass(writer, x)
}

// decide returns an error unless the request may pass.
func (s *Server) decide(x *exchange) error {
	account, err := s.Find(x.request.Context(), canonicalHost(x.request.Host))
	if err != nil {
		return err
	}
	if account == nil {
		return errNoAccount
	}
	x.account = account
	if x.query, err = parseQuery(x.request.URL.RawQuery); err != nil {
		return err
	}
	if err := s.authenticate(x); err != nil {
		return err
	}
	if !account.Ready {
		return errUnavailable
	}
	if err := x.parse(); err != nil {
		return err
	}
	return s.authorize(x)
}

// authenticate finds out who sends a request. What is signed with an account's key is left to the backend, if the account admits it at all.
func (s *Server) authenticate(x *exchange) error {
	var err error
	if x.credential, err = credentialOf(x.request.Header, x.query); err != nil {
		return err
	}
	switch x.credential {
	case noCredential:
		return errNoCredential
	case token:
		x.caller, err = s.Bearer.Validate(x.request.Header.Get("Authorization"), x.account.TenantID, x.account.audiences()...)
		if err != nil {
			return unauthorized(err)
		}
		return nil
	case sharedKey, signature:
		if x.account.SharedKey {
			return nil
		}
	}
	return errSharedKey
}

// parse finds out what a request asks for.
func (x *exchange) parse() error {
	header := x.request.Header
	for _, name := range overrides {
		if header.Get(name) != "" {
			return badRequest("UnsupportedHeader", "One of the HTTP headers specified in the request is not supported: %s", name)
		}
	}
	for _, name := range []string{copySource, blobType} {
		if len(header.Values(name)) > 1 {
			return badRequest("InvalidHeaderValue", "The header %s must be given once.", name)
		}
	}
	if header.Get("x-ms-blob-public-access") != "" {
		return errPublicAccess
	}
	var err error
	if x.at, err = parsePath(x.account.Service, x.request.URL.Path); err != nil {
		return err
	}
	x.operation, err = findOperation(x.account.Service, x.request.Method, x.at, header, x.query)
	return err
}

// overrides are headers by which the backend would take a request for one with another method, or become something else than HTTP.
var overrides = []string{"X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "Upgrade"}

// authorize asks whether the caller has a role with the actions of the operation, and may read what it copies.
func (s *Server) authorize(x *exchange) error {
	ctx, header := x.request.Context(), x.request.Header
	if x.operation.copies {
		if x.credential == signature {
			return errCopySource
		}
		var err error
		if x.source, err = s.findSource(ctx, header, x.account); err != nil {
			return err
		}
	}
	if x.credential != token {
		return nil
	}
	assignments, err := s.Assignments(ctx, x.account)
	if err != nil {
		return err
	}
	if !x.operation.isAllowed(assignments, x.caller.ObjectID, x.account.scope(x.at.name)) {
		return errNotAuthorized
	}
	if x.source != nil && !x.source.needs(header).isAllowed(assignments, x.caller.ObjectID, x.account.scope(x.source.container)) {
		return errCopySource
	}
	return nil
}

// pass passes a request on, and the answer back.
func (s *Server) pass(writer http.ResponseWriter, x *exchange) {
	authorization, err := s.Backend.authorization(x.caller.ObjectID, x.account.TenantID)
	if err != nil {
		s.fail(writer, x, err)
		return
	}
	proxy := &httputil.ReverseProxy{
		Transport:  s.Backend.Transport,
		BufferPool: &s.buffers,
		Rewrite: func(to *httputil.ProxyRequest) {
			to.Out.URL = s.Backend.address(x.account.Service, to.In.URL)
			to.Out.Host = x.account.Host
			header := to.Out.Header
			// The server has told the client to go on, and nothing of a credential goes further than it must.
			for _, name := range []string{"Expect", "Cookie", "x-ms-copy-source-authorization"} {
				header.Del(name)
			}
			// A signature is of the request as it is.
			if x.credential != token {
				return
			}
			header.Set("Authorization", authorization)
			if x.source != nil {
				header.Set(copySource, x.source.url)
			}
		},
		ModifyResponse: func(response *http.Response) error {
			code := response.Header.Get("x-ms-error-code")
			// Azurite takes a key's signature that is wrong for a token.
			if x.credential == sharedKey && code == errTwoCredentials.Code {
				return errSignature
			}
			s.audit(x, response.StatusCode, code)
			return nil
		},
		ErrorHandler: func(writer http.ResponseWriter, _ *http.Request, err error) { s.fail(writer, x, err) },
	}
	longer, request := stream.New(writer, x.request, s.Patience)
	proxy.ServeHTTP(longer, request)
}

// unauthorized returns the failure of a token that is not accepted.
func unauthorized(err error) *Failure {
	refusal, _ := errors.AsType[*bearer.Refusal](err)
	if refusal.Reason == bearer.Missing {
		return errNoCredential
	}
	failed := &Failure{Status: http.StatusUnauthorized, Code: "InvalidAuthenticationInfo", Message: errNoCredential.Message}
	switch refusal.Reason {
	case bearer.WrongAudience:
		failed.Detail = "Audience validation failed. Audience did not match."
	case bearer.WrongIssuer:
		failed.Detail = "Issuer validation failed. Issuer did not match."
	case bearer.Expired:
		failed.Detail = "Lifetime validation failed. The token is expired."
	case bearer.NotYetValid:
		failed.Detail = "Lifetime validation failed. The token is not yet valid."
	case bearer.BadSignature, bearer.UnknownKey:
		failed.Detail = "Signature validation failed. Signature verification failed."
	default:
		failed.Detail = "The token is not accepted: " + string(refusal.Reason) + "."
	}
	return failed
}

// fail answers with a failure. What the cluster or the backend could not do passes by itself.
func (s *Server) fail(writer http.ResponseWriter, x *exchange, err error) {
	failed, ok := errors.AsType[*Failure](err)
	if !ok {
		s.Log.Error(err, "cannot answer")
		failed = errUnavailable
	}
	s.audit(x, failed.Status, failed.Code)
	header, service := writer.Header(), Service("")
	if x.account != nil {
		service = x.account.Service
		if failed.Status == http.StatusUnauthorized {
			header.Set("WWW-Authenticate", x.account.challenge())
		}
	}
	header.Set("x-ms-request-id", x.id)
	for _, name := range []string{"x-ms-version", "x-ms-client-request-id"} {
		if value := x.request.Header.Get(name); value != "" && len(value) <= maxCut {
			header.Set(name, value)
		}
	}
	// If it does not arrive, nobody waits for it any more.
	_ = failed.write(writer, service, x.id, s.Now())
}

// audit writes a line for every decision. A query may have a signature in it, so it is not logged.
func (s *Server) audit(x *exchange, status int, reason string) {
	values := []any{
		"method", x.request.Method, "status", status, "operation", x.operation.name, "action", x.operation.action(),
		"credential", string(x.credential), "oid", x.caller.ObjectID, "appid", x.caller.ClientID, "source", x.request.RemoteAddr,
	}
	if x.account != nil {
		values = append(values, "account", x.account.Namespace+"/"+x.account.Name, "service", string(x.account.Service), "object", x.at.name)
	}
	if reason != "" {
		values = append(values, "reason", reason)
	}
	s.Log.Info("storage", values...)
}

// maxCut bounds what an answer repeats of a request.
const maxCut = 128

func cut(text string) string { return strings.ToValidUTF8(text[:min(len(text), maxCut)], "?") }
