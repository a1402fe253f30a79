// Package logging makes the logs of all parts but the sidecar: JSON lines on standard error.
package logging

import (
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Levels are the names of the levels.
var Levels = []string{"debug", "info", "error"}

// New returns a log of a level and above.
func New(level string) (logr.Logger, error) {
	parsed, err := parse(level)
	if err != nil {
		return logr.Discard(), err
	}
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(parsed)
	config.Sampling = nil
	config.EncoderConfig.TimeKey, config.EncoderConfig.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	log, err := config.Build()
	if err != nil {
		return logr.Discard(), fmt.Errorf("make the log: %w", err)
	}
	return zapr.NewLogger(log), nil
}

// Audit returns the audit log, which is complete at every level of the rest.
func Audit() (logr.Logger, error) {
	log, err := New("info")
	return log.WithName("audit"), err
}

// parse accepts the names in Levels only; zap knows more.
func parse(level string) (zapcore.Level, error) {
	if !slices.Contains(Levels, level) {
		return 0, fmt.Errorf("read --log-level: unknown level %q: want one of %v", level, Levels)
	}
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return 0, fmt.Errorf("read --log-level: %w", err)
	}
	return parsed, nil
}
