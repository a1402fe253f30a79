package imds

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AppService serves token requests as Azure App Service does (clients.md, "App Service"), for SDKs configured by
// IDENTITY_ENDPOINT and IDENTITY_HEADER. It is IMDS's token endpoint with a secret header instead of Metadata.
type AppService struct {
	endpoint endpoint
	secret   string
}

// NewAppService returns a handler for requests with the secret in X-IDENTITY-HEADER. An empty secret admits no request.
func NewAppService(tokens TokenSource, secret string, now func() time.Time) *AppService {
	return &AppService{
		endpoint: endpoint{methods: getOnly, shape: identityShape, serve: newTokenEndpoint(tokens, now).serve},
		secret:   secret,
	}
}

// ServeHTTP serves any path that it is mounted on.
func (a *AppService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, rawQuery, _ := strings.Cut(r.RequestURI, "?")
	refusal := a.check(r)
	if refusal == nil {
		refusal = a.endpoint.serve(w, r, "", rawQuery)
	}
	if refusal != nil {
		a.endpoint.shape.writeError(w, refusal)
	}
}

func (a *AppService) check(r *http.Request) *Error {
	shown := r.Header["X-Identity-Header"]
	if a.secret == "" || len(shown) != 1 || subtle.ConstantTimeCompare([]byte(shown[0]), []byte(a.secret)) != 1 {
		return errIdentityHeader
	}
	if refusal := refuseOthers(r.Header); refusal != nil {
		return refusal
	}
	if !slices.Contains(a.endpoint.methods, r.Method) {
		return a.endpoint.wrongMethod()
	}
	return nil
}
