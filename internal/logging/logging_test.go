package logging

import (
	"slices"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]struct{ debug, info bool }{
		"debug": {true, true},
		"info":  {false, true},
		"error": {false, false},
	} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			if !slices.Contains(Levels, level) {
				t.Fatalf("%s is not in %v", level, Levels)
			}
			log, err := New(level)
			if err != nil {
				t.Fatal(err)
			}
			if got := log.V(1).Enabled(); got != want.debug {
				t.Errorf("debug is logged: %t, want %t", got, want.debug)
			}
			if got := log.Enabled(); got != want.info {
				t.Errorf("info is logged: %t, want %t", got, want.info)
			}
		})
	}
}

func TestNewRefusesUnknownLevel(t *testing.T) {
	t.Parallel()
	for name, level := range map[string]string{
		"empty":         "",
		"number":        "7",
		"unknown word":  "loud",
		"level of zap":  "panic",
		"in upper case": "INFO",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, err := New(level)
			if err == nil {
				t.Fatalf("%q is accepted", level)
			}
			if !strings.Contains(err.Error(), "--log-level") || !strings.Contains(err.Error(), "debug") {
				t.Errorf("error %q does not name the way out", err)
			}
			log.Info("a log that could not be made can still be written to")
		})
	}
}
