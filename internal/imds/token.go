package imds

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxTokenQueries bounds the cache of parsed queries. An application sends a few different ones.
const maxTokenQueries = 128

// tokenEndpoint serves GET /metadata/identity/oauth2/token.
type tokenEndpoint struct {
	source TokenSource
	now    func() time.Time

	mu      sync.RWMutex
	queries map[string]*tokenQuery
}

func newTokenEndpoint(source TokenSource, now func() time.Time) *tokenEndpoint {
	return &tokenEndpoint{source: source, now: now, queries: map[string]*tokenQuery{}}
}

func (e *tokenEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	query, refusal := e.parse(rawQuery)
	if refusal != nil {
		return refusal
	}
	token, err := e.source.Token(r.Context(), query.request)
	if err != nil {
		return fromSource(err)
	}
	query.write(w, token, e.now())
	return nil
}

// parse returns the parsed query, from the cache if it was parsed before. It does not cache refused queries.
func (e *tokenEndpoint) parse(rawQuery string) (*tokenQuery, *Error) {
	e.mu.RLock()
	known := e.queries[rawQuery]
	e.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	request, refusal := parseTokenRequest(rawQuery)
	if refusal != nil {
		return nil, refusal
	}
	query := &tokenQuery{request: request}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.queries) >= maxTokenQueries {
		clear(e.queries)
	}
	e.queries[strings.Clone(rawQuery)] = query
	return query, nil
}

// selectorNames are the parameters that select an identity, with the ID that each sets. IMDS documents client_id, object_id
// and msi_res_id. Clients send the others too, and ignoring them would return the default identity's token (clients.md,
// points 6 to 9).
var selectorNames = []struct {
	name string
	id   func(*Selector) *string
}{
	{"client_id", func(s *Selector) *string { return &s.ClientID }},
	{"object_id", func(s *Selector) *string { return &s.ObjectID }},
	{"principal_id", func(s *Selector) *string { return &s.ObjectID }},
	{"msi_res_id", func(s *Selector) *string { return &s.ResourceID }},
	{"mi_res_id", func(s *Selector) *string { return &s.ResourceID }},
	{"msi-res-id", func(s *Selector) *string { return &s.ResourceID }},
	{"resource_id", func(s *Selector) *string { return &s.ResourceID }},
}

// parseTokenRequest parses the query of a token request (imds-contract.md section 4).
func parseTokenRequest(raw string) (TokenRequest, *Error) {
	q, err := parseQuery(raw)
	if err != nil {
		return TokenRequest{}, err
	}
	if _, err := q.version(identitySince); err != nil {
		return TokenRequest{}, err
	}
	selector, err := parseSelector(q)
	if err != nil {
		return TokenRequest{}, err
	}
	bypassCache, err := q.flag("bypass_cache")
	if err != nil {
		return TokenRequest{}, err
	}
	resource := q["resource"]
	if resource == "" {
		return TokenRequest{}, invalid("Required audience parameter not specified")
	}
	return TokenRequest{resource, selector, bypassCache}, nil
}

// parseSelector returns the selected identity. At most one parameter may select it, even if several would agree.
func parseSelector(q query) (Selector, *Error) {
	var selector Selector
	for _, parameter := range selectorNames {
		value, given := q[parameter.name]
		if !given {
			continue
		}
		if selector != (Selector{}) {
			return Selector{}, invalid("Only one of client_id, object_id and msi_res_id can be specified")
		}
		if value == "" {
			return Selector{}, invalid("The parameter " + parameter.name + " has no value")
		}
		*parameter.id(&selector) = value
	}
	return selector, nil
}

// tokenQuery is a parsed query with its last rendered response. Within a second the response to the same token does not
// change, so a cached token costs two lookups and one write.
type tokenQuery struct {
	request  TokenRequest
	rendered atomic.Pointer[renderedToken]
}

// renderedToken is a response body, valid for one token within one second.
type renderedToken struct {
	token  *Token
	second int64

	body          []byte
	contentLength []string
}

// write writes the response for a token.
func (q *tokenQuery) write(w http.ResponseWriter, token *Token, now time.Time) {
	second := now.Unix()
	rendered := q.rendered.Load()
	if rendered == nil || rendered.token != token || rendered.second != second {
		rendered = renderToken(token, q.request.Resource, second)
		q.rendered.Store(rendered)
	}
	setHeader(w.Header(), contentJSON, rendered.contentLength)
	w.Header()["Cache-Control"] = noStore
	// Nothing can be done for a client that has gone.
	_, _ = w.Write(rendered.body)
}

// issuedBefore is how far Entra backdates not_before, in seconds, plus one: the difference between expires_on, not_before and
// ext_expires_in in recorded responses.
const issuedBefore = 301

// renderToken renders the eight fields in IMDS's order, all of them strings (imds-contract.md section 4).
func renderToken(token *Token, resource string, now int64) *renderedToken {
	expires, notBefore := token.ExpiresOn.Unix(), token.NotBefore.Unix()
	body := encode(struct {
		AccessToken  string `json:"access_token"`
		ClientID     string `json:"client_id"`
		ExpiresIn    string `json:"expires_in"`
		ExpiresOn    string `json:"expires_on"`
		ExtExpiresIn string `json:"ext_expires_in"`
		NotBefore    string `json:"not_before"`
		Resource     string `json:"resource"`
		TokenType    string `json:"token_type"`
	}{
		AccessToken:  token.AccessToken,
		ClientID:     token.ClientID,
		ExpiresIn:    digits(expires - now),
		ExpiresOn:    digits(expires),
		ExtExpiresIn: digits(expires - notBefore - issuedBefore),
		NotBefore:    digits(notBefore),
		Resource:     resource,
		TokenType:    "Bearer",
	})
	return &renderedToken{token, now, slices.Clip(body), []string{strconv.Itoa(len(body))}}
}

// digits formats seconds without a sign, which Rust's SDK does not parse. Negative values become zero.
func digits(seconds int64) string { return strconv.FormatInt(max(seconds, 0), 10) }
