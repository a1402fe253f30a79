package imds

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

const (
	throttledIdentity = `{"error":"invalid_request","error_description":"Temporarily throttled, too many requests"}`
	throttledPlain    = `{ "error": "Temporarily throttled, too many requests" }`
)

// limited runs a test with a handler that has Azure's limits in a synctest bubble.
func limited(t *testing.T, test func(t *testing.T, handler http.Handler)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, LimitAsAzure(newIMDS().build(), time.Now)) })
}

func (a answer) wantThrottled(t *testing.T, body string) {
	t.Helper()
	a.want(t, http.StatusTooManyRequests, body)
	if got := a.header.Get("Retry-After"); got != "1" {
		t.Errorf("Retry-After = %q", got)
	}
}

func TestAzureLimits(t *testing.T) {
	for name, test := range map[string]struct {
		target string
		most   int
		body   string
	}{
		"tokens":                      {tokenTarget(""), 20, throttledIdentity},
		"tokens, in another spelling": {"//Metadata/Identity/oauth2/token/", 20, throttledIdentity},
		"unknown identity path":       {identityPath + "/nothing", 20, throttledIdentity},
		"instance metadata":           {instancePath + instanceVersion, 5, throttledPlain},
		"another path":                {"/metadata/nothing", 5, throttledPlain},
		"prefix of identity":          {identityPath + "x", 5, throttledPlain},
		"no path":                     {"*", 5, throttledPlain},
	} {
		t.Run(name, func(t *testing.T) {
			limited(t, func(t *testing.T, handler http.Handler) {
				for i := range test.most {
					if got := get(t, handler, test.target); got.status == http.StatusTooManyRequests {
						t.Fatalf("request %d is throttled", i)
					}
				}
				get(t, handler, test.target).wantThrottled(t, test.body)
				time.Sleep(time.Second)
				for range test.most {
					if got := get(t, handler, test.target); got.status == http.StatusTooManyRequests {
						t.Error("a second later fewer are answered")
					}
				}
				get(t, handler, test.target).wantThrottled(t, test.body)
			})
		})
	}
}

func TestLimitsAreSeparate(t *testing.T) {
	limited(t, func(t *testing.T, handler http.Handler) {
		for range 100 {
			get(t, handler, instancePath+instanceVersion)
		}
		if got := get(t, handler, tokenTarget("")); got.status != http.StatusOK {
			t.Errorf("token request beside throttled instance metadata: %d %s", got.status, got.body)
		}
	})
}

// Point 27: clients probe for IMDS whenever they are asked for a token.
func TestPoint27ProbesAreNotLimitedByAzureLimits(t *testing.T) {
	limited(t, func(t *testing.T, handler http.Handler) {
		for _, header := range []string{"Metadata:", "Metadata: yes"} {
			for range 1000 {
				if got := get(t, handler, tokenPath, header); got.status != http.StatusBadRequest {
					t.Fatalf("probe: got %d %s", got.status, got.body)
				}
			}
		}
		if got := get(t, handler, tokenTarget("")); got.status != http.StatusOK {
			t.Errorf("token request after the probes: %d %s", got.status, got.body)
		}
	})
}

func TestConcurrentIdentityRequestsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := LimitAsAzure(newIMDS().tokensFrom(func(TokenRequest) (*Token, error) {
			time.Sleep(time.Second)
			return recordedToken, nil
		}).build(), time.Now)
		for range 5 { // as Azure documents
			go func() {
				if got := get(t, handler, tokenTarget("")); got.status != http.StatusOK {
					t.Errorf("concurrent request: %d %s", got.status, got.body)
				}
			}()
		}
		synctest.Wait()
		get(t, handler, tokenTarget("")).wantThrottled(t, throttledIdentity)
		if got := get(t, handler, instancePath+instanceVersion); got.status != http.StatusOK {
			t.Errorf("instance metadata beside them: %d %s", got.status, got.body)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := get(t, handler, tokenTarget("")); got.status != http.StatusOK {
			t.Errorf("after they are done: %d %s", got.status, got.body)
		}
	})
}
