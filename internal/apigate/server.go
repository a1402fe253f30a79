package apigate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/resource/bearer"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/resource/stream"
)

// Server is the gate before one API.
type Server struct {
	// Namespace and Name are what role assignments call the API.
	Namespace, Name string

	Document *Document

	// Audiences are those of tokens for the API, the first one as the challenge names it.
	Audiences []string

	// TenantID is that of tokens, and LoginURL where they are from.
	TenantID, LoginURL string

	Bearer *bearer.Validator

	// Assignments returns the role assignments of the API.
	Assignments func(ctx context.Context) ([]role.Assignment, error)

	// Backend is the URL of the service, without a path.
	Backend   *url.URL
	Transport http.RoundTripper

	// PassToken is whether the backend gets the caller's token.
	PassToken bool

	// Patience is how long a client may keep a body of an authorized request waiting.
	Patience time.Duration

	// Log is the audit log.
	Log logr.Logger

	buffers stream.Buffers
}

// NewTransport returns the transport to a service on this pod's loopback address.
func NewTransport() *http.Transport {
	return &http.Transport{
		// A body passes as it is.
		DisableCompression:     true,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        3 * time.Second,
		ResponseHeaderTimeout:  2 * time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        stream.BufferSize,
		ReadBufferSize:         stream.BufferSize,
	}
}

// exchange is a request and what is known of it.
type exchange struct {
	request *http.Request
	id      string

	// path are the segments of the path.
	path      []string
	operation *Operation
	caller    bearer.Caller
	roles     []v1alpha1.RoleName

	// allowed are the methods of the path, if the request's is none of them.
	allowed []string
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	x := &exchange{request: request, id: uuid.NewString()}
	if err := s.decide(x); err != nil {
		s.fail(writer, x, err)
		return
	}
	s.pass(writer, x)
}

// decide returns an error unless the request may pass. What the API has is told to those alone that have a token for it.
func (s *Server) decide(x *exchange) error {
	var err error
	if x.path, err = parsePath(x.request.URL); err != nil {
		return err
	}
	if err := errors.Join(parseQuery(x.request.URL.RawQuery), checkHeader(x.request.Header)); err != nil {
		return err
	}
	operation, allowed, notFound := s.Document.find(x.request.Method, x.path)
	if x.operation = operation; operation != nil && operation.Public {
		return nil
	}
	if err := s.authenticate(x); err != nil {
		return err
	}
	if notFound != nil {
		x.allowed = allowed
		return notFound
	}
	return s.authorize(x)
}

func (s *Server) authenticate(x *exchange) error {
	headers := x.request.Header.Values("Authorization")
	if len(headers) > 1 {
		return &bearer.Refusal{Reason: bearer.Malformed}
	}
	var err error
	x.caller, err = s.Bearer.Validate(strings.Join(headers, ""), s.TenantID, s.Audiences...)
	return err
}

// authorize asks whether the caller has the app roles that the operation needs.
func (s *Server) authorize(x *exchange) error {
	assignments, err := s.Assignments(x.request.Context())
	if err != nil {
		return err
	}
	x.roles = role.AppRoles(assignments, x.caller.ObjectID, role.Scope{Namespace: s.Namespace, API: s.Name})
	if !role.DecideByAppRoles(x.roles, x.operation.Alternatives) {
		return s.notAuthorized(x)
	}
	return nil
}

// notAuthorized returns the failure of a caller without the app roles.
func (s *Server) notAuthorized(x *exchange) *Failure {
	var needed []string
	for _, alternative := range x.operation.Alternatives {
		var names []string
		for _, one := range alternative {
			names = append(names, string(one))
		}
		needed = append(needed, strings.Join(names, " and "))
	}
	return &Failure{http.StatusForbidden, "AuthorizationFailed", "The client '" + x.caller.ClientID + "' with object id '" + x.caller.ObjectID +
		"' does not have authorization to perform '" + x.operation.Name + "' at API '" + s.Name + "' of namespace '" + s.Namespace +
		"'. It needs the app role " + strings.Join(needed, ", or ") + ". If access was recently granted, please retry."}
}

// pass passes a request on, and the answer back.
func (s *Server) pass(writer http.ResponseWriter, x *exchange) {
	proxy := &httputil.ReverseProxy{
		Transport:  s.Transport,
		BufferPool: &s.buffers,
		Rewrite:    func(to *httputil.ProxyRequest) { s.rewrite(to, x) },
		ModifyResponse: func(response *http.Response) error {
			s.audit(x, response.StatusCode, "")
			return nil
		},
		ErrorHandler: func(writer http.ResponseWriter, _ *http.Request, err error) {
			s.Log.Error(err, "the service behind the gate does not answer", "request", x.id)
			s.fail(writer, x, errBackend)
		},
	}
	longer, request := stream.New(writer, x.request, s.Patience)
	proxy.ServeHTTP(longer, request)
}

// rewrite makes the request that the backend gets: with the path that was understood, and the caller in headers.
func (s *Server) rewrite(to *httputil.ProxyRequest, x *exchange) {
	to.Out.URL = backendURL(s.Backend, x.path, to.In.URL.RawQuery)
	to.Out.Host = s.Backend.Host
	// Some programs take trailers for headers.
	to.Out.Trailer = nil
	header := to.Out.Header
	clean(header, s.PassToken && !x.operation.Public)
	to.SetXForwarded()
	if x.operation.Public {
		return
	}
	introduce(header, x.caller, s.TenantID, s.known(x.roles))
}

// backendURL returns the URL that the backend gets: with the path as it was understood, encoded anew.
func backendURL(backend *url.URL, path []string, query string) *url.URL {
	return &url.URL{Scheme: backend.Scheme, Host: backend.Host, Path: "/" + strings.Join(path, "/"), RawQuery: query}
}

// known returns the app roles that the document names. Others say nothing here.
func (s *Server) known(roles []v1alpha1.RoleName) []v1alpha1.RoleName {
	return slices.DeleteFunc(slices.Clone(roles), func(one v1alpha1.RoleName) bool { return !s.Document.roles[one] })
}

// fail answers with a failure. What the cluster could not do passes by itself.
func (s *Server) fail(writer http.ResponseWriter, x *exchange, err error) {
	header, reason := writer.Header(), ""
	failed, isFailure := errors.AsType[*Failure](err)
	refusal, isRefusal := errors.AsType[*bearer.Refusal](err)
	switch {
	case isRefusal:
		failed, reason = unauthorized(refusal.Reason, s.Audiences), string(refusal.Reason)
		header.Set("WWW-Authenticate", s.challenge(refusal.Reason))
	case !isFailure:
		s.Log.Error(err, "cannot answer", "request", x.id)
		failed = errCluster
		header.Set("Retry-After", "2")
	}
	if reason == "" {
		reason = failed.Code
	}
	if len(x.allowed) > 0 {
		header.Set("Allow", strings.Join(x.allowed, ", "))
	}
	header.Set("x-ms-request-id", x.id)
	s.audit(x, failed.Status, reason)
	// If it does not arrive, nobody waits for it any more.
	_ = failed.write(writer)
}

// challenge says where a token for the API is from.
func (s *Server) challenge(reason bearer.Reason) string {
	challenge := `Bearer authorization_uri="` + s.LoginURL + "/" + s.TenantID + `", resource="` + s.Audiences[0] + `"`
	if reason == bearer.Missing {
		return challenge
	}
	return challenge + `, error="invalid_token"`
}

// audit writes a line for every decision. Paths and queries may have values in them that are nobody's business, so they are not logged.
func (s *Server) audit(x *exchange, status int, reason string) {
	values := []any{
		"request", x.id, "api", s.Namespace + "/" + s.Name, "method", cut(x.request.Method), "status", status,
		"oid", x.caller.ObjectID, "appid", x.caller.ClientID, "source", x.request.RemoteAddr,
	}
	if x.operation != nil {
		values = append(values, "operation", x.operation.Name, "public", x.operation.Public)
	}
	if reason != "" {
		values = append(values, "reason", reason)
	}
	s.Log.Info("api", values...)
}
