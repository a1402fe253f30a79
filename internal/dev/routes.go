package dev

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// appServicePath is where IDENTITY_ENDPOINT points.
const appServicePath = "/msi/token"

// routes routes requests. IMDS gets every other path, unchanged.
type routes struct {
	imds, appService, documents, authority http.Handler
}

func (r *routes) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	first, _, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	switch {
	case request.URL.Path == appServicePath:
		r.appService.ServeHTTP(writer, request)
	case strings.HasPrefix(request.URL.Path, cabundle.PathPrefix):
		r.authority.ServeHTTP(writer, request)
	case uuid.Validate(first) == nil:
		r.documents.ServeHTTP(writer, request)
	default:
		r.imds.ServeHTTP(writer, request)
	}
}
