package signer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// maxAtOnce bounds the requests in progress to what a few cores sign in a second. All nodes together may send more than
// each of them may, and the rest is rejected before it costs anything.
const maxAtOnce = 512

// bounded handles atOnce requests at a time. The rest get 503 in the API's own form.
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
