package imds

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Handler serves the Instance Metadata Service.
type Handler struct {
	endpoints []endpoint
}

// endpoint is a path and its handler.
type endpoint struct {
	path string

	// subpaths reports whether the endpoint also serves every path below its own.
	subpaths bool

	shape shape

	// methods are the methods served; nil means GET only.
	methods []string

	// serve writes the response, or returns an error and writes nothing. subpath is the part of the path below the endpoint's.
	serve func(w http.ResponseWriter, r *http.Request, subpath, rawQuery string) *Error
}

// getOnly is the default of endpoint.methods.
var getOnly = []string{http.MethodGet}

// Sources supply the endpoints. An endpoint without a source gets 404.
type Sources struct {
	Tokens        TokenSource
	Identities    IdentitySource
	Instances     InstanceSource
	LoadBalancers LoadBalancerSource
	Events        EventSource
	Attestations  AttestationSource
}

// NewHandler returns a handler over sources. It computes expires_in with now.
func NewHandler(sources Sources, now func() time.Time) *Handler {
	h := &Handler{}
	if sources.Tokens != nil {
		h.add(endpoint{path: tokenPath, shape: identityShape, serve: newTokenEndpoint(sources.Tokens, now).serve})
	}
	if sources.Identities != nil {
		h.add(endpoint{path: infoPath, shape: identityShape, serve: (&infoEndpoint{sources.Identities}).serve})
	}
	if sources.Instances != nil {
		h.add(endpoint{path: instancePath, subpaths: true, shape: plainShape, serve: (&instanceEndpoint{sources.Instances}).serve})
	}
	if sources.Attestations != nil {
		h.add(endpoint{path: attestedPath, shape: plainShape, serve: (&attestedEndpoint{sources.Attestations}).serve})
	}
	if sources.LoadBalancers != nil {
		h.add(endpoint{path: loadBalancerPath, shape: plainShape, serve: (&loadBalancerEndpoint{sources.LoadBalancers}).serve})
	}
	if sources.Events != nil {
		h.add(endpoint{
			path: eventsPath, shape: plainShape, serve: (&eventsEndpoint{sources.Events}).serve,
			methods: []string{http.MethodGet, http.MethodPost},
		})
	}
	h.add(endpoint{path: versionsPath, shape: plainShape, serve: serveVersions})
	h.add(endpoint{path: rootPath, shape: plainShape, serve: serveRoot})
	return h
}

func (h *Handler) add(e endpoint) {
	if e.methods == nil {
		e.methods = getOnly
	}
	h.endpoints = append(h.endpoints, e)
}

// ServeHTTP routes by the raw request target, so that no later decoding can lead to another endpoint than the one checked.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rawPath, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	path := normalPath(rawPath)
	endpoint, subpath := h.find(path)
	if endpoint == nil {
		// This comes before the check of the header: clients take a complaint about the header as proof that the endpoint
		// exists (clients.md, point 4).
		shapeOf(path).writeError(w, errNotFound)
		return
	}
	refusal := endpoint.check(r)
	if refusal == nil {
		refusal = endpoint.serve(w, r, subpath, rawQuery)
	}
	if refusal != nil {
		endpoint.shape.writeError(w, refusal)
	}
}

func (h *Handler) find(path string) (found *endpoint, subpath string) {
	for i := range h.endpoints {
		endpoint := &h.endpoints[i]
		if path == endpoint.path {
			return endpoint, ""
		}
		if !endpoint.subpaths {
			continue
		}
		if rest, ok := below(path, endpoint.path); ok {
			return endpoint, rest
		}
	}
	return nil, ""
}

// shapeOf returns the shape of errors for a path that may not exist.
func shapeOf(path string) shape {
	if _, ok := below(path, identityPath); ok {
		return identityShape
	}
	return plainShape
}

// check applies the rules of every endpoint. An SSRF attacker can rarely set headers, so Metadata is required; proxies and
// browsers, which would relay for others, reveal themselves by theirs.
func (e *endpoint) check(r *http.Request) *Error {
	if !saysMetadata(r.Header) {
		return e.shape.noHeader
	}
	if refusal := refuseOthers(r.Header); refusal != nil {
		return refusal
	}
	if !slices.Contains(e.methods, r.Method) {
		return e.wrongMethod()
	}
	return nil
}

// saysMetadata reports whether the request has exactly one Metadata header, with the value true.
func saysMetadata(header http.Header) bool {
	values := header["Metadata"]
	return len(values) == 1 && strings.EqualFold(values[0], "true")
}

// wrongMethod returns 405 with the methods served.
func (e *endpoint) wrongMethod() *Error {
	refusal := *errMethod
	refusal.allow = strings.Join(e.methods, ", ")
	return &refusal
}

// OnlyHosts rejects requests whose Host is not allowed.
func OnlyHosts(next http.Handler, allowed func(host string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r.Host) {
			shapeOf(normalPath(r.URL.Path)).writeError(w, errHost)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// LocalHost reports whether a Host header is an IP address, localhost or, as in HTTP/1.0, empty. It keeps out web pages that
// resolve their own name to this address (DNS rebinding) to read tokens through a visitor's browser.
func LocalHost(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if name == "" || strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// fromOthers are the headers that only proxies and browsers send. Sec-Fetch-Mode is not among them: Node's fetch sends it,
// and browsers never send it without Sec-Fetch-Site.
var fromOthers = []string{
	"X-Forwarded-For", "Forwarded", "Via", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-User", "Sec-Fetch-Storage-Access",
}

// refuseOthers rejects requests that a proxy or browser relays from outside the pod.
func refuseOthers(header http.Header) *Error {
	for _, name := range fromOthers {
		if _, found := header[name]; found {
			return errsFromOthers[name]
		}
	}
	return nil
}

var errsFromOthers = func() map[string]*Error {
	all := map[string]*Error{}
	for _, name := range fromOthers {
		all[name] = invalid("Bad request. A request with the header " + name + " is not answered")
	}
	return all
}()
