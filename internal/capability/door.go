package capability

import (
	"context"
	"net/http"
)

// Door passes on requests whose path starts with a valid capability, without it. All others get 404 before their bodies are
// read, and lose their connection.
func Door(good func(context.Context) Set, inside http.Handler, refused func()) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		capability, rest := split(request.URL.Path)
		if !good(request.Context()).Admits(capability) {
			refused()
			writer.Header().Set("Connection", "close")
			http.NotFound(writer, request)
			return
		}
		url := *request.URL
		url.Path, url.RawPath = rest, ""
		inner := request.WithContext(request.Context())
		inner.URL, inner.RequestURI = &url, ""
		inside.ServeHTTP(writer, inner)
	})
}
