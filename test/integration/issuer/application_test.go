package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

const (
	// askEvery is how often an application asks, far more often than any SDK.
	askEvery = 250 * time.Millisecond

	// askPatience is how long it waits for an answer.
	askPatience = 30 * time.Second
)

// application asks its pod's sidecar for tokens of a resource, at a steady rate.
type application struct {
	sidecar  *sidecarProcess
	resource string
	http     *http.Client
}

func newApplication(sidecar *sidecarProcess, resource string) *application {
	return &application{sidecar, resource, &http.Client{Transport: &http.Transport{}}}
}

// sample is what an application saw of a request.
type sample struct {
	sent   time.Time
	took   time.Duration
	status int // 0 without an answer

	retryAfter string
	token      string
	expires    time.Time
	err        error
}

func (s sample) granted() bool { return s.status == http.StatusOK }

// answered is when the answer came.
func (s sample) answered() time.Time { return s.sent.Add(s.took) }

// String describes the answer.
func (s sample) String() string {
	after := inWords(s.took)
	if s.err != nil {
		return fmt.Sprintf("%v %s", s.err, after)
	}
	text := fmt.Sprintf("%d %s", s.status, after)
	if s.retryAfter != "" {
		text += ", Retry-After " + s.retryAfter
	}
	return text
}

// inWords says how long an answer took, in tenths of a second.
func inWords(took time.Duration) string {
	if took < 50*time.Millisecond {
		return "at once"
	}
	return fmt.Sprintf("after %.1f s", took.Seconds())
}

// run asks until the context ends, and waits for the last answer.
func (a *application) run(ctx context.Context, saw func(sample)) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		saw(a.ask(context.WithoutCancel(ctx)))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (a *application) ask(ctx context.Context) sample {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	got := sample{sent: time.Now()}
	response, answer, err := a.send(ctx)
	got.took, got.err = time.Since(got.sent), err
	if err != nil {
		return got
	}
	got.status, got.retryAfter, got.token = response.StatusCode, response.Header.Get("Retry-After"), answer.AccessToken
	if seconds, err := strconv.ParseInt(answer.ExpiresOn, 10, 64); err == nil {
		got.expires = time.Unix(seconds, 0)
	}
	return got
}

// imdsToken is IMDS's answer with a token.
type imdsToken struct {
	AccessToken string `json:"access_token"`
	ExpiresOn   string `json:"expires_on"`
}

func (a *application) send(ctx context.Context) (*http.Response, imdsToken, error) {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {a.resource}}
	address := a.sidecar.url + "/metadata/identity/oauth2/token?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, imdsToken{}, err
	}
	request.Header.Set("Metadata", "true")
	response, err := a.http.Do(request)
	if err != nil {
		return nil, imdsToken{}, err
	}
	defer response.Body.Close()
	var answer imdsToken
	return response, answer, json.NewDecoder(response.Body).Decode(&answer)
}

// applications are several, and what they saw.
type applications struct {
	running context.Context
	stop    context.CancelFunc
	asking  sync.WaitGroup

	mu  sync.Mutex
	saw []sample
}

func newApplications(t *testing.T) *applications {
	t.Helper()
	a := &applications{}
	a.running, a.stop = context.WithCancel(t.Context())
	t.Cleanup(a.end)
	return a
}

// start lets one more ask, until the end.
func (a *applications) start(one *application) {
	a.asking.Go(func() {
		one.run(a.running, func(got sample) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.saw = append(a.saw, got)
		})
	})
}

// first returns the first of what they saw that fits, or false.
func (a *applications) first(fits func(sample) bool) (sample, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := slices.IndexFunc(a.saw, fits)
	if n < 0 {
		return sample{}, false
	}
	return a.saw[n], true
}

// end lets no more ask, and waits for the last answers.
func (a *applications) end() {
	a.stop()
	a.asking.Wait()
}

// between returns the samples of requests that were sent from one time to another.
func (a *applications) between(from, to time.Time) []sample {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []sample
	for _, one := range a.saw {
		if !one.sent.Before(from) && one.sent.Before(to) {
			found = append(found, one)
		}
	}
	return found
}

// latenciesOf returns how long the requests took.
func latenciesOf(those []sample) latencies {
	var took latencies
	for _, one := range those {
		took = append(took, one.took)
	}
	return took
}
