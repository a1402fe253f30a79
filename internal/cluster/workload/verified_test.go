package workload

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

// A token that was verified is known, but outlives neither its validity nor the key that signed it.
func TestVerifiedTokensAreForgotten(t *testing.T) {
	t.Parallel()
	source := newCluster(t)
	keys, now := knowing(t, source), noon
	authenticator := NewAuthenticator(keys, audience, func() time.Time { return now }).Within(10 * time.Minute)
	signed := newToken(t, noon).sign(t)
	for range 2 {
		if got, err := authenticator.Authenticate(signed); err != nil || got.Pod.UID != "pod-uid" {
			t.Fatalf("got %+v, error %v", got, err)
		}
	}
	if got := len(authenticator.verified.tokens); got != 1 {
		t.Errorf("%d tokens are remembered", got)
	}
	if _, err := authenticator.Authenticate(signed + "x"); err == nil {
		t.Error("a token with another signature is accepted")
	}
	if _, err := authenticator.For("another").Authenticate(signed); err == nil {
		t.Error("a token for another audience is accepted")
	}

	now = noon.Add(10*time.Minute + leeway)
	if _, err := authenticator.Authenticate(signed); err == nil {
		t.Error("an expired token is accepted")
	}
	now = noon
	if _, err := authenticator.Authenticate(signed); err != nil {
		t.Fatal(err)
	}
	source.change(func(c *cluster) { delete(c.keys, "rsa") })
	if err := keys.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := authenticator.Authenticate(signed); err == nil {
		t.Error("a token of a key that is gone is accepted")
	}
}

func TestRememberedTokensAreBounded(t *testing.T) {
	t.Parallel()
	var tokens verified
	for n := range 2*maxVerified + 1 {
		tokens.add(sha256.Sum256(fmt.Append(nil, n)), 1, remembered{expires: noon})
	}
	if got := len(tokens.tokens); got != 1 {
		t.Errorf("%d tokens are remembered", got)
	}
}
