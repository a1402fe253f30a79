package imds

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// The bounds of what a log line quotes. The longest target that clients send is below 1 KiB.
const (
	maxLoggedTarget = 2 << 10
	maxLoggedHeader = 256
)

// LogRequests logs each request at level debug. The target and the logged headers hold no secrets; responses do, so only
// their status is logged. If the logger has no debug level, it returns next itself, which keeps cached tokens fast.
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

// statusRecorder records a response's status.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader records the status and passes it on.
func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap supports http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// capped shortens text to a bound, in bytes, keeping it valid UTF-8.
func capped(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
