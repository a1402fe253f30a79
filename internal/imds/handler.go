package imds

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Handler answers as the Instance Metadata Service.
type Handler struct {
	endpoints []endpoint
}

// endpoint is a path and what answers there.
type endpoint struct {
	path string

	// subpaths tells whether everything below the path is answered too.
	subpaths bool

	shape shape

	// methods are what is answered; GET alone where none is named.
	methods []string

	// serve writes an answer, or returns what is wrong with the request and writes nothing. It is given the part of
	// the path below its own, and the raw query.
	serve func(w http.ResponseWriter, r *http.Request, subpath, rawQuery string) *Error
}

// getOnly are the methods of most endpoints.
var getOnly = []string{http.MethodGet}

// Sources are what the endpoints answer from. An endpoint that has no source does not exist.
type Sources struct {
	Tokens        TokenSource
	Identities    IdentitySource
	Instances     InstanceSource
	LoadBalancers LoadBalancerSource
	Events        EventSource
	Attestations  AttestationSource
}

// NewHandler answers from sources. The clock says how long tokens are still valid.
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

// ServeHTTP looks at the request's target as it came, once: what is matched is what is answered.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rawPath, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	path := normalPath(rawPath)
	endpoint, subpath := h.find(path)
	if endpoint == nil {
		// Before the header is looked at: an identity endpoint that asks for the header is one that exists
		// (clients.md, point 4).
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

// shapeOf is the shape of errors for paths that do not exist.
func shapeOf(path string) shape {
	if _, ok := below(path, identityPath); ok {
		return identityShape
	}
	return plainShape
}

// check holds what every endpoint asks of a request. Whoever makes a server send requests for him can rarely
// make it send the header Metadata; and proxies and browsers, which would let others in, add headers of their own.
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

// saysMetadata tells whether the header Metadata is there, once, and true.
func saysMetadata(header http.Header) bool {
	values := header["Metadata"]
	return len(values) == 1 && strings.EqualFold(values[0], "true")
}

// wrongMethod names the methods that are answered.
func (e *endpoint) wrongMethod() *Error {
	refusal := *errMethod
	refusal.allow = strings.Join(e.methods, ", ")
	return &refusal
}
