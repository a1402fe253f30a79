package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
)

// maxLoggedAnswer bounds what a log line quotes of an answer, in bytes. The largest instance document has some 6 KiB.
const maxLoggedAnswer = 8 << 10

// secrets are the members of answers that never reach the log.
var secrets = []string{"access_token", "signature"}

// logAnswers logs what next answers at level debug, without tokens and signatures. Without that level it returns next itself.
func logAnswers(next http.Handler, logger *slog.Logger) http.Handler {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &bodyRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		logger.LogAttrs(r.Context(), slog.LevelDebug, "answer",
			slog.String("path", r.URL.Path), slog.Int("status", recorder.status), slog.String("body", loggable(recorder.body.Bytes())))
	})
}

// bodyRecorder keeps a copy of a response.
type bodyRecorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader records the status and passes it on.
func (r *bodyRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Write records the body and passes it on.
func (r *bodyRecorder) Write(content []byte) (int, error) {
	r.body.Write(content)
	return r.ResponseWriter.Write(content)
}

// Unwrap supports http.ResponseController.
func (r *bodyRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// loggable returns a body without secrets, cut to its bound. Secrets are only in JSON objects.
func loggable(body []byte) string {
	var object map[string]any
	if json.Unmarshal(body, &object) == nil {
		for _, name := range secrets {
			if _, found := object[name]; found {
				object[name] = "…"
			}
		}
		// What was JSON can be rendered again.
		body, _ = json.Marshal(object)
	}
	text := strings.ToValidUTF8(string(body), "")
	if len(text) > maxLoggedAnswer {
		return strings.ToValidUTF8(text[:maxLoggedAnswer], "") + "…"
	}
	return text
}
