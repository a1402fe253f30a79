package workload

import (
	"context"
	"crypto"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/golang-jwt/jwt/v5"

	"github.com/kube-imds/kube-imds/internal/keyset"
)

var discard = logr.Discard()

// onStage runs a test with started Keys in a synctest bubble.
func onStage(t *testing.T, test func(t *testing.T, api *cluster, keys *keyset.Keys)) {
	t.Helper()
	t.Parallel()
	api := newCluster(t)
	synctest.Test(t, func(t *testing.T) {
		keys := NewKeys(api, discard)
		if keys.Ready() {
			t.Error("ready before the keys are read")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- keys.Start(ctx) }()
		synctest.Wait()
		test(t, api, keys)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// accepts checks whether a token of the key with an ID is accepted.
func accepts(t *testing.T, keys *keyset.Keys, id string, want bool) {
	t.Helper()
	signed := newToken(t, time.Now()).signedBy(id, jwt.SigningMethodRS256, keyPair(t).other).sign(t)
	if id == "rsa" {
		signed = newToken(t, time.Now()).sign(t)
	}
	if _, err := NewAuthenticator(keys, audience, time.Now).Authenticate(signed); (err == nil) != want {
		t.Errorf("token of key %q is accepted: %t, want %t (%v)", id, err == nil, want, err)
	}
}

func TestKeysAreReadAtStartAndPeriodically(t *testing.T) {
	onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
		if !keys.Ready() || keys.Issuer() != issuer {
			t.Errorf("ready: %t, issuer: %q", keys.Ready(), keys.Issuer())
		}
		api.wantReads(t, 1)
		time.Sleep(keyset.RefreshInterval - time.Second)
		synctest.Wait()
		api.wantReads(t, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		api.wantReads(t, 2)
	})
}

func TestUnknownKeyTriggersARead(t *testing.T) {
	onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
		time.Sleep(time.Minute)
		api.change(func(c *cluster) { c.keys["new"] = keyPair(t).other.Public() })
		accepts(t, keys, "new", false)
		synctest.Wait()
		api.wantReads(t, 2)
		accepts(t, keys, "new", true)
		accepts(t, keys, "rsa", true)
	})
}

func TestUnknownKeysDoNotFloodTheAPIServer(t *testing.T) {
	onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
		for range 600 {
			accepts(t, keys, "never", false)
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		// One at the start, and one in each ten seconds of the minute.
		api.wantReads(t, 7)
	})
}

func TestKnownKeyTriggersNoRead(t *testing.T) {
	onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
		for range 60 {
			accepts(t, keys, "rsa", true)
			time.Sleep(time.Second)
		}
		api.wantReads(t, 1)
	})
}

func TestWithdrawnKeyIsDropped(t *testing.T) {
	onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
		api.change(func(c *cluster) { delete(c.keys, "rsa") })
		accepts(t, keys, "rsa", true)
		time.Sleep(keyset.RefreshInterval)
		synctest.Wait()
		accepts(t, keys, "rsa", false)
	})
}

func TestKeysStayAfterAFailedRead(t *testing.T) {
	for name, breakIt := range map[string]func(*cluster){
		"API server is away": func(c *cluster) { c.err = errors.New("connection refused") },
		"no keys":            func(c *cluster) { c.keys = map[string]crypto.PublicKey{} },
		"no issuer":          func(c *cluster) { c.issuer = "" },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(t *testing.T, api *cluster, keys *keyset.Keys) {
				api.change(breakIt)
				time.Sleep(10 * keyset.RefreshInterval)
				synctest.Wait()
				if !keys.Ready() {
					t.Error("not ready any more")
				}
				accepts(t, keys, "rsa", true)
			})
		})
	}
}

func TestFailedFirstReadIsRetriedSoon(t *testing.T) {
	t.Parallel()
	api := newCluster(t)
	api.err = errors.New("connection refused")
	synctest.Test(t, func(t *testing.T) {
		keys := NewKeys(api, discard)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = keys.Start(ctx) }()
		time.Sleep(time.Minute + time.Second)
		if keys.Ready() {
			t.Error("ready although the read failed")
		}
		api.change(func(c *cluster) { c.err = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !keys.Ready() {
			t.Error("not ready ten seconds after the API server returned")
		}
	})
}
