package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/token"
)

// memory is a KMS in memory. internal/signer/kms is tested with a real one.
type memory struct {
	mu   sync.Mutex
	keys map[string]*rsa.PrivateKey
	down bool
	read []string
}

func (m *memory) Read(_ context.Context, url string) (*rsa.PublicKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read = append(m.read, url)
	if m.down || m.keys[url] == nil {
		return nil, fmt.Errorf("no key %s", url)
	}
	return &m.keys[url].PublicKey, nil
}

func (m *memory) Signer(url string, _ *rsa.PublicKey) token.SignFunc {
	return func(_ context.Context, digest []byte) ([]byte, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.down {
			return nil, errors.New("the KMS does not answer")
		}
		return m.keys[url].Sign(rand.Reader, digest, crypto.SHA256)
	}
}

// threeKeys are made once: making a key takes long.
var threeKeys = sync.OnceValues(func() (keys [3]*rsa.PrivateKey, err error) {
	for n := range keys {
		if keys[n], err = token.GenerateKey(); err != nil {
			return keys, err
		}
	}
	return keys, nil
})

func newMemory(t *testing.T) *memory {
	t.Helper()
	keys, err := threeKeys()
	if err != nil {
		t.Fatal(err)
	}
	return &memory{keys: map[string]*rsa.PrivateKey{"kms://a": keys[0], "kms://b": keys[1], "kms://c": keys[2]}}
}

// kmsKeeper returns a keeper of keys in a KMS.
func (i *installation) kmsKeeper(memory *memory, urls ...string) *Keeper {
	keeper := i.keeper()
	keeper.Source = &Source{URLs: urls, KMS: memory}
	return keeper
}

// wantURLs checks the URLs of the ring's current and next slot: "-" means no slot, "secret" a key in the Secret.
func (i *installation) wantURLs(want string) {
	i.Helper()
	i.change(func(secret *corev1.Secret) {
		ring, err := keyring.Parse(secret.Data[keyring.SecretKey])
		if err != nil {
			i.Fatal(err)
		}
		var got []string
		for _, slot := range []*keyring.Slot{ring.Current, ring.Next} {
			switch {
			case slot == nil:
				got = append(got, "-")
			case slot.URL == "":
				got = append(got, "secret")
			default:
				got = append(got, slot.URL)
			}
		}
		if strings.Join(got, " ") != want {
			i.Errorf("slots = %v, want %s", got, want)
		}
	})
}

func TestKMSKeysAreUsedInOrder(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	keeper := i.kmsKeeper(memory, "kms://a", "kms://b", "kms://c")
	i.settle(keeper)
	i.wantURLs("kms://a kms://b")
	i.now = i.now.Add(30 * 24 * time.Hour)
	i.settle(keeper)
	i.wantURLs("kms://b kms://c")
	i.now = i.now.Add(30 * 24 * time.Hour)
	i.settle(keeper)
	i.wantURLs("kms://c -")
	i.change(func(secret *corev1.Secret) {
		if strings.Contains(string(secret.Data[keyring.SecretKey]), `"private"`) {
			t.Error("the Secret has a private half")
		}
	})
	if !keeper.Key().Remote || keeper.Key().Public.N.Cmp(memory.keys["kms://c"].N) != 0 {
		t.Error("another key signs")
	}
}

func TestCurrentKeySignsOnWithoutAnotherURL(t *testing.T) {
	i := newInstallation(t)
	keeper := i.kmsKeeper(newMemory(t), "kms://a")
	var log strings.Builder
	keeper.Log = funcr.New(func(_, line string) { log.WriteString(line + "\n") }, funcr.Options{})
	i.settle(keeper)
	i.now = i.now.Add(365 * 24 * time.Hour)
	i.order(keyring.RotateAnnotation, "now")
	i.settle(keeper)
	i.wantURLs("kms://a -")
	if lines := strings.Count(log.String(), "add one to signer.keys.kms"); lines != 1 {
		t.Errorf("logged %d times:\n%s", lines, &log)
	}
	// The order remains until there is a key to rotate to.
	keeper = i.kmsKeeper(newMemory(t), "kms://a", "kms://b")
	i.settle(keeper)
	i.wantURLs("kms://a kms://b")
	i.now = i.now.Add(24 * time.Hour)
	i.settle(keeper)
	i.wantURLs("kms://b -")
	i.wantNoOrder()
}

func TestMissingSuccessorIsMeasured(t *testing.T) {
	keeper := &Keeper{Log: funcr.New(func(string, string) {}, funcr.Options{})}
	for want, err := range map[float64]error{1: errNoURL, 0: nil} {
		if keeper.tellMissing(err); testutil.ToFloat64(successorMissing.WithLabelValues("")) != want {
			t.Errorf("after error %v the metric is not %v", err, want)
		}
	}
}

func TestRevokedKMSKeyDoesNotReturn(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	keeper := i.kmsKeeper(memory, "kms://a", "kms://b")
	i.settle(keeper)
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(keeper)
	i.wantURLs("kms://b -")
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(keeper)
	i.wantURLs("- -")
	if keeper.Ready() || len(i.published().KeyIDs) != 0 {
		t.Errorf("published keys = %v", i.published().KeyIDs)
	}
	before := i.published().Revocations
	i.now = i.now.Add(time.Hour)
	for range 3 {
		restarted := i.kmsKeeper(memory, "kms://a", "kms://b")
		i.settle(keeper, restarted)
		i.wantURLs("- -")
	}
	if after := i.published().Revocations; after != before || before != 2 {
		t.Errorf("revocations = %d, before %d", after, before)
	}
	i.settle(i.kmsKeeper(memory, "kms://a", "kms://b", "kms://c"))
	i.wantURLs("kms://c -")
}

// The same key under another URL is the same key.
func TestRevokedKeyDoesNotReturnUnderAnotherURL(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	memory.keys["kms://alias"] = memory.keys["kms://a"]
	keeper := i.kmsKeeper(memory, "kms://a", "kms://alias", "kms://b")
	i.settle(keeper)
	i.wantURLs("kms://a kms://b")
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(keeper)
	i.wantURLs("kms://b -")
}

func TestEmptiedSecretRevokesKMSKeys(t *testing.T) {
	for name, restarted := range map[string]bool{"a replica that knew the keys": false, "one that has just started": true} {
		t.Run(name, func(t *testing.T) {
			i := newInstallation(t)
			memory := newMemory(t)
			keeper := i.kmsKeeper(memory, "kms://a", "kms://b", "kms://c")
			i.settle(keeper)
			i.change(func(secret *corev1.Secret) { secret.Data = nil })
			if restarted {
				keeper = i.kmsKeeper(memory, "kms://a", "kms://b", "kms://c")
			}
			i.settle(keeper)
			i.now = i.now.Add(time.Hour)
			i.settle(keeper)
			i.wantURLs("kms://c -")
			if i.published().Revocations != 1 {
				t.Errorf("revocations = %d", i.published().Revocations)
			}
		})
	}
}

func TestRevocationDoesNotNeedTheKMS(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	keeper := i.kmsKeeper(memory, "kms://a", "kms://b")
	i.settle(keeper)
	memory.down = true
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(keeper)
	i.wantURLs("kms://b -")
	// A signer starts without its KMS.
	restarted := i.kmsKeeper(memory, "kms://a", "kms://b")
	i.settle(restarted)
	if !restarted.Ready() {
		t.Error("a new signer has no key")
	}
}

func TestFailingKMSIsNotAskedAgainAtOnce(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	memory.down = true
	keeper := i.kmsKeeper(memory, "kms://a", "kms://b")
	i.settle(keeper)
	if !slices.Equal(memory.read, []string{"kms://a", "kms://b"}) {
		t.Errorf("it is asked again for %v", memory.read)
	}
	memory.down = false
	i.now = i.now.Add(lookEvery)
	i.settle(keeper)
	i.wantURLs("kms://a kms://b")
}

func TestSwitchingToAKMSAndBackIsARotation(t *testing.T) {
	i := newInstallation(t)
	memory := newMemory(t)
	i.settle(i.keeper())
	i.wantURLs("secret secret")
	switched := func(keeper *Keeper, first, then, last string) {
		t.Helper()
		before := i.published().KeyIDs
		i.settle(keeper)
		i.wantURLs(first)
		i.now = i.now.Add(overlap)
		i.settle(keeper)
		i.wantURLs(then)
		i.now = i.now.Add(24*time.Hour - time.Second)
		i.settle(keeper)
		i.wantURLs(then)
		i.now = i.now.Add(time.Second)
		i.settle(keeper)
		i.wantURLs(last)
		if before[keeper.Key().ID] {
			t.Error("the key that signs is not a new one")
		}
	}
	switched(i.kmsKeeper(memory, "kms://a", "kms://b"), "secret secret", "secret kms://a", "kms://a kms://b")
	switched(i.keeper(), "kms://a kms://b", "kms://a secret", "secret secret")
	// A key that never signed may still be used.
	switched(i.kmsKeeper(memory, "kms://a", "kms://b", "kms://c"), "secret secret", "secret kms://b", "kms://b kms://c")
}
