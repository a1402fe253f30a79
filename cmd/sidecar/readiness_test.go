package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// clients.md, point 24: applications start once the issuer has answered, or after a bounded wait.
func TestPoint24ReadyWhenTheIssuerAnsweredOrTimeIsUp(t *testing.T) {
	t.Parallel()
	now := time.Now()
	startup := &readiness{started: now, now: func() time.Time { return now }}
	handler := startup.before(http.NotFoundHandler())
	status := func(path string) int {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		return recorder.Code
	}
	if got := status(readyPath); got != http.StatusServiceUnavailable {
		t.Errorf("at the start: %d", got)
	}
	if got := status(readyPath + "x"); got != http.StatusNotFound {
		t.Errorf("another path: %d", got)
	}
	now = now.Add(issuerPatience - 1)
	if got := status(readyPath); got != http.StatusServiceUnavailable {
		t.Errorf("just before time is up: %d", got)
	}
	now = now.Add(1)
	if got := status(readyPath); got != http.StatusNoContent {
		t.Errorf("after time is up: %d", got)
	}
	now = startup.started
	startup.issuerAnswered()
	if got := status(readyPath); got != http.StatusServiceUnavailable {
		t.Errorf("before the assertion is written: %d", got)
	}
	startup.assertionSettled()
	if got := status(readyPath); got != http.StatusNoContent {
		t.Errorf("after the issuer has answered: %d", got)
	}
}

func TestReadyAsksServe(t *testing.T) {
	t.Parallel()
	startup := &readiness{started: time.Now(), now: time.Now}
	server := httptest.NewServer(startup.before(http.NotFoundHandler()))
	t.Cleanup(server.Close)
	ask := func(wait string) error {
		return ready(t.Context(), []string{"--address", strings.TrimPrefix(server.URL, "http://"), "--wait", wait})
	}
	if err := ask("50ms"); err == nil {
		t.Error("ready at the start")
	}
	if err := askReady(t.Context(), http.DefaultClient, server.URL+readyPath); err == nil || !strings.Contains(err.Error(), "the issuer has not answered yet") {
		t.Errorf("while the issuer is away: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- ask("1m") }()
	startup.assertionSettled()
	startup.issuerAnswered()
	if err := <-waiting; err != nil {
		t.Errorf("after the issuer has answered: %v", err)
	}
	server.Close()
	if err := ask("50ms"); err == nil {
		t.Error("ready without serve")
	}
}

func TestReadyDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// Nothing listens on this port of loopback.
		started := time.Now()
		if err := ready(t.Context(), []string{"--address", "127.0.0.1:1"}); err == nil {
			t.Error("ready without a listener")
		}
		if waited := time.Since(started); waited >= time.Second {
			t.Errorf("waited %s by default", waited)
		}
	})
}
