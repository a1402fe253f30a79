package imds

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer serves a handler to clients that may be slow, hostile or both: what they may send and how long they may
// take is bounded. Bodies are read by scheduled events alone, up to a bound.
func NewServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    8 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       2 * time.Minute,
		// Go's server would answer OPTIONS * by itself.
		DisableGeneralOptionsHandler: true,

		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
