package imds

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// What a line of the log may hold of a request. The longest target that clients send is below 1 KiB.
const (
	maxLoggedTarget = 2 << 10
	maxLoggedHeader = 256
)

// LogRequests writes a line about each request that next answers, at level debug. Neither targets nor the headers that
// are written hold secrets; answers do, and nothing of them is written. For a logger without that level next stays as it
// is: most sidecars have none, and answers from the cache cost no more than they must.
func LogRequests(next http.Handler, logger *slog.Logger, now func() time.Time) http.Handler {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		logger.LogAttrs(r.Context(), slog.LevelDebug, "request",
			slog.String("method", capped(r.Method, maxLoggedHeader)),
			slog.String("target", capped(r.RequestURI, maxLoggedTarget)),
			slog.String("userAgent", capped(r.UserAgent(), maxLoggedHeader)),
			slog.String("clientSKU", capped(r.Header.Get("x-client-SKU"), maxLoggedHeader)),
			slog.Bool("metadata", saysMetadata(r.Header)),
			slog.Int("status", recorder.status),
			slog.Float64("milliseconds", float64(now().Sub(begun))/float64(time.Millisecond)),
		)
	})
}

// statusRecorder notes an answer's status.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and hands it on.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// capped is the beginning of a text that may be too long for a line, as valid UTF-8.
func capped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
