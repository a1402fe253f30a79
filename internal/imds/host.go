package imds

import "net/http"

// OnlyHosts refuses requests that were made to other hosts than those allowed, in the shape of their path.
func OnlyHosts(next http.Handler, allowed func(host string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r.Host) {
			shapeOf(normalPath(r.URL.Path)).writeError(w, errHost)
			return
		}
		next.ServeHTTP(w, r)
	})
}
