package reply

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// The issuer must parse the kind of failure that the signer sent.
func TestKindsSurviveHTTP(t *testing.T) {
	t.Parallel()
	for kind := failure.Unavailable; kind <= failure.Throttled; kind++ {
		status, code := Status(&failure.Failure{Kind: kind})
		if status < 400 || code == "" {
			t.Errorf("kind %d has status %d and code %q", kind, status, code)
		}
		// Many times, because maps are not ordered.
		for range 100 {
			if got := KindOf(status, code); got != kind {
				t.Fatalf("kind %d is parsed as %d", kind, got)
			}
		}
	}
	if got := KindOf(502, ""); got != failure.Unavailable {
		t.Errorf("kind of an unknown status = %d", got)
	}
}

func TestFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure    *failure.Failure
		status     int
		retryAfter string
	}{
		"throttled":   {failure.TooMany(1500 * time.Millisecond), 429, "2"},
		"for long":    {failure.TooMany(time.Hour), 429, "25"},
		"unavailable": {failure.NotNow("detail"), 503, "2"},
		"final":       {failure.Denied("Reason", "detail"), 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := httptest.NewRecorder()
			Fail(recorder, test.failure, "body")
			var body string
			if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil || body != "body" {
				t.Errorf("body = %q, error %v", recorder.Body, err)
			}
			if recorder.Code != test.status || recorder.Header().Get("Retry-After") != test.retryAfter {
				t.Errorf("status = %d, Retry-After = %q", recorder.Code, recorder.Header().Get("Retry-After"))
			}
		})
	}
}
