package signer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// maxAtOnce is how many requests are worked on at once: what a few cores sign in a second. More are asked to come again,
// before they cost anything: all nodes together may send more than each of them may.
const maxAtOnce = 512

// bounded answers at most so many requests at once. The rest get 503, in the API's own form.
func bounded(atOnce int, handler http.Handler) http.Handler {
	slots := make(chan struct{}, atOnce)
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		select {
		case slots <- struct{}{}:
		default:
			busy.Inc()
			_ = refuse(writer, failure.NotNow("the signer is busy"))
			return
		}
		defer func() { <-slots }()
		handler.ServeHTTP(writer, request)
	})
}
