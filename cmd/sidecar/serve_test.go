package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/sidecar/podnet"
)

// buffer collects a sidecar's log.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(line)
}

// running is a sidecar on a port of loopback.
type running struct {
	*testing.T
	url     string
	log     *buffer
	stop    context.CancelFunc
	stopped chan error
}

func start(t *testing.T, issuer *fakeIssuer) *running {
	t.Helper()
	return startWith(t, issuer, slog.LevelInfo, false)
}

// startWith starts a sidecar with a log level, with or without Azure's limits.
func startWith(t *testing.T, issuer *fakeIssuer, level slog.Level, azureLimits bool) *running {
	t.Helper()
	listener, err := podnet.Listen(t.Context(), "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	sidecar := &running{t, "http://" + listener.Addr().String(), &buffer{}, stop, make(chan error, 1)}
	client := issuer.client(t)
	go func() {
		sidecar.stopped <- answer(ctx, listener, client, nil, config{azureLimits: azureLimits}, slog.New(slog.NewJSONHandler(sidecar.log, &slog.HandlerOptions{Level: level})))
	}()
	t.Cleanup(stop)
	return sidecar
}

func (r *running) get(path string) (status int, body string) {
	r.Helper()
	response, body := r.ask(http.MethodGet, path, "")
	return response.StatusCode, body
}

// ask returns the response, whose body has been read.
func (r *running) ask(method, path, content string) (response *http.Response, body string) {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, r.url+path, strings.NewReader(content))
	if err != nil {
		r.Fatal(err)
	}
	request.Header.Set("Metadata", "true")
	response, err = http.DefaultClient.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.Fatal(err)
	}
	return response, string(answer)
}

// eventually waits until a response has a status.
func (r *running) eventually(path string, want int) {
	r.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, body := r.get(path)
		if status == want {
			return
		}
		if time.Now().After(deadline) {
			r.Fatalf("%s: still %d %s", path, status, body)
		}
	}
}

const (
	tokenOfVault = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net"
	tokenOfOther = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=other"
	compute      = "/metadata/instance/compute?api-version=2021-02-01"
)

// A web page with DNS rebinding must not read tokens.
func TestServeRefusesForeignHostNames(t *testing.T) {
	t.Parallel()
	sidecar := start(t, newFakeIssuer(t))
	sidecar.eventually(tokenOfVault, http.StatusOK)
	for host, want := range map[string]int{
		"rebound.example": http.StatusBadRequest, "169.254.169.254": http.StatusOK, "localhost:80": http.StatusOK, "[::1]": http.StatusOK,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sidecar.url+tokenOfVault, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		request.Header.Set("Metadata", "true")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("host %s: status = %d", host, response.StatusCode)
		}
		if want == http.StatusOK && response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the token may be cached: %v", response.Header)
		}
	}
}

func TestServeScheduledEvents(t *testing.T) {
	t.Parallel()
	sidecar := start(t, newFakeIssuer(t))
	const events = "/metadata/scheduledevents?api-version=2020-07-01"
	if status, body := sidecar.get(events); status != http.StatusOK || !strings.Contains(body, `"EventStatus":"Scheduled"`) {
		t.Errorf("events: %d %s", status, body)
	}
	if answer, body := sidecar.ask(http.MethodPost, events, `{"StartRequests":[{"EventId":"`+eventID+`"}]}`); answer.StatusCode != http.StatusOK {
		t.Errorf("an acknowledgement: %s %s", answer.Status, body)
	}
	if status, body := sidecar.get(events); status != http.StatusOK || !strings.Contains(body, `"EventStatus":"Started"`) {
		t.Errorf("started events: %d %s", status, body)
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	issuer := newFakeIssuer(t)
	sidecar := start(t, issuer)
	sidecar.eventually(readyPath, http.StatusNoContent)

	if status, body := sidecar.get(tokenOfVault); status != http.StatusOK || !strings.Contains(body, accessToken) {
		t.Errorf("a token: %d %s", status, body)
	}
	if status, body := sidecar.get(compute); status != http.StatusOK || !strings.Contains(body, `"location":"westeurope"`) {
		t.Errorf("metadata: %d %s", status, body)
	}

	issuer.withdraw()
	sidecar.eventually(tokenOfVault, http.StatusBadRequest)

	sidecar.stop()
	if err := <-sidecar.stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	for _, secret := range []string{podToken, accessToken} {
		if strings.Contains(sidecar.log.String(), secret) {
			t.Errorf("log contains a token:\n%s", sidecar.log)
		}
	}
}

func TestServeWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	issuer := newFakeIssuer(t)
	sidecar := start(t, issuer)
	sidecar.eventually(readyPath, http.StatusNoContent)
	if status, body := sidecar.get(tokenOfVault); status != http.StatusOK {
		t.Fatalf("a token: %d %s", status, body)
	}
	issuer.CloseClientConnections()
	issuer.Close()

	if status, body := sidecar.get(tokenOfVault); status != http.StatusOK {
		t.Errorf("cached token: %d %s", status, body)
	}
	if status, body := sidecar.get(tokenOfOther); status != http.StatusServiceUnavailable || !strings.Contains(body, `"error":"service_unavailable"`) {
		t.Errorf("another token: %d %s", status, body)
	}
	if status, _ := sidecar.get(compute); status != http.StatusServiceUnavailable {
		t.Errorf("metadata that is not cached: %d", status)
	}
}

func TestRequestsAreLoggedAtLevelDebug(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]int{slog.LevelDebug: 1, slog.LevelInfo: 0} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			sidecar := startWith(t, newFakeIssuer(t), level, false)
			sidecar.eventually(readyPath, http.StatusNoContent)
			if status, body := sidecar.get(tokenOfVault); status != http.StatusOK {
				t.Fatalf("a token: %d %s", status, body)
			}
			sidecar.stop()
			if err := <-sidecar.stopped; err != nil {
				t.Error(err)
			}
			log := sidecar.log.String()
			if got := strings.Count(log, `"msg":"request"`); got != want || strings.Contains(log, accessToken) {
				t.Errorf("%d lines, want %d:\n%s", got, want, log)
			}
		})
	}
}

// Nearly all requests are served from caches, so the sidecar has no limits by default.
func TestLimitsAreOptional(t *testing.T) {
	t.Parallel()
	for azure, want := range map[bool]int{true: http.StatusTooManyRequests, false: http.StatusOK} {
		t.Run(strconv.FormatBool(azure), func(t *testing.T) {
			t.Parallel()
			sidecar := startWith(t, newFakeIssuer(t), slog.LevelInfo, azure)
			sidecar.eventually(readyPath, http.StatusNoContent)
			last := 0
			for i := 0; i < 500 && last != http.StatusTooManyRequests; i++ {
				last, _ = sidecar.get(tokenOfVault)
			}
			if last != want {
				t.Errorf("last status = %d", last)
			}
			// What the postStart hook asks is not part of IMDS.
			sidecar.eventually(readyPath, http.StatusNoContent)
		})
	}
}

// Throttling by the issuer is passed on in both of IMDS's error shapes.
func TestThrottlingReachesTheApplication(t *testing.T) {
	t.Parallel()
	issuer := newFakeIssuer(t)
	issuer.throttle = true
	sidecar := start(t, issuer)
	sidecar.eventually(readyPath, http.StatusNoContent)
	for path, want := range map[string]string{
		tokenOfVault: `{"error":"invalid_request","error_description":"Temporarily throttled, too many requests"}`,
		compute:      `{ "error": "Temporarily throttled, too many requests" }`,
	} {
		answer, body := sidecar.ask(http.MethodGet, path, "")
		if answer.StatusCode != http.StatusTooManyRequests || body != want || answer.Header.Get("Retry-After") != "3" {
			t.Errorf("%s: got %d %v %s", path, answer.StatusCode, answer.Header, body)
		}
	}
}
