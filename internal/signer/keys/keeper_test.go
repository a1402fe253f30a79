package keys

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/published"
)

var (
	signingKeys = client.ObjectKey{Namespace: "imds", Name: "signing-keys"}
	keys        = client.ObjectKey{Namespace: "imds", Name: "keys"}
)

// installation holds what keepers share.
type installation struct {
	*testing.T
	client  client.Client
	now     time.Time
	tenants map[string]bool
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	t.Parallel()
	meta := func(key client.ObjectKey) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	}
	return &installation{t, fake.NewClientBuilder().WithObjects(
		&corev1.Secret{ObjectMeta: meta(signingKeys)}, &corev1.ConfigMap{ObjectMeta: meta(keys)},
	).Build(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), map[string]bool{}}
}

func (i *installation) keeper() *Keeper {
	return &Keeper{
		Client: i.client, Secret: signingKeys, ConfigMap: keys,
		Tenants: func(context.Context) (map[string]bool, error) { return i.tenants, nil },
		Policy:  keyring.Policy{Ahead: 24 * time.Hour, Every: 30 * 24 * time.Hour, Keep: 25 * time.Hour},
		Source:  &Source{KMS: &memory{}},
		Changes: directory.NewChanges(), Now: func() time.Time { return i.now }, Log: logr.Discard(),
	}
}

// settle reconciles until keepers have nothing left to do.
func (i *installation) settle(keepers ...*Keeper) {
	i.Helper()
	for range 5 {
		for _, keeper := range keepers {
			if err := keeper.reconcile(i.Context()); err != nil {
				i.Fatal(err)
			}
		}
	}
}

func (i *installation) published() *published.Published {
	i.Helper()
	var config corev1.ConfigMap
	if err := i.client.Get(i.Context(), keys, &config); err != nil {
		i.Fatal(err)
	}
	known, err := published.Read(config.Data)
	if err != nil {
		i.Fatal(err)
	}
	return known
}

// change changes the Secret.
func (i *installation) change(change func(*corev1.Secret)) {
	i.Helper()
	var secret corev1.Secret
	if err := i.client.Get(i.Context(), signingKeys, &secret); err != nil {
		i.Fatal(err)
	}
	change(&secret)
	if err := i.client.Update(i.Context(), &secret); err != nil {
		i.Fatal(err)
	}
}

func TestReplicasAgreeOnOneKey(t *testing.T) {
	i := newInstallation(t)
	one, other := i.keeper(), i.keeper()
	i.settle(one, other)
	if !one.Ready() || !other.Ready() || one.Key().ID != other.Key().ID {
		t.Fatalf("keys = %v and %v", one.Key(), other.Key())
	}
	known := i.published()
	if len(known.KeyIDs) != 2 || !known.Has(one.Key().ID) {
		t.Errorf("published keys = %v, signing key = %s", known.KeyIDs, one.Key().ID)
	}
	late := i.keeper()
	i.settle(late)
	if late.Key().ID != one.Key().ID {
		t.Errorf("a later replica signs with %s, want %s", late.Key().ID, one.Key().ID)
	}
}

func TestUnpublishedKeyDoesNotSign(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	for range 5 {
		if err := keeper.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if key := keeper.Key(); key != nil && !i.published().Has(key.ID) {
			t.Fatalf("signing key = %s, published keys = %v", key.ID, i.published().KeyIDs)
		}
	}
}

func TestPrivateHalvesAreInTheSecretOnly(t *testing.T) {
	i := newInstallation(t)
	i.settle(i.keeper())
	var config corev1.ConfigMap
	if err := i.client.Get(t.Context(), keys, &config); err != nil {
		t.Fatal(err)
	}
	for name, text := range config.Data {
		for _, private := range []string{"private", `"d"`, `"p"`, "PRIVATE"} {
			if strings.Contains(text, private) {
				t.Errorf("%s has %s: %s", name, private, text)
			}
		}
	}
}

func TestChangedPublicationIsRestored(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	before := i.published()
	var config corev1.ConfigMap
	if err := i.client.Get(t.Context(), keys, &config); err != nil {
		t.Fatal(err)
	}
	for _, data := range []map[string]string{nil, {"jwks.json": "{"}, {"jwks.json": "{}", "generation": "x"}} {
		config.Data = data
		if err := i.client.Update(t.Context(), &config); err != nil {
			t.Fatal(err)
		}
		i.settle(keeper)
		if after := i.published(); after.Generation != before.Generation || string(after.JWKS) != string(before.JWKS) {
			t.Errorf("published after %v: %+v", data, after)
		}
		if err := i.client.Get(t.Context(), keys, &config); err != nil {
			t.Fatal(err)
		}
	}
}

// A replica whose caches lag must not publish a key again that another one has withdrawn.
func TestOlderRingIsNotPublishedOverANewerOne(t *testing.T) {
	i := newInstallation(t)
	lagging, ahead := i.keeper(), i.keeper()
	i.settle(lagging, ahead)
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(ahead)
	known := i.published()
	var config corev1.ConfigMap
	if err := i.client.Get(t.Context(), keys, &config); err != nil {
		t.Fatal(err)
	}
	if err := lagging.publish(t.Context(), &config, known); err != nil {
		t.Fatal(err)
	}
	if after := i.published(); after.Generation != known.Generation {
		t.Errorf("generation %d is published over %d", after.Generation, known.Generation)
	}
}

// A replica reads the ring from its cache, which may fall behind what the replica itself has written.
func TestOlderRingDoesNotSignAgain(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	old, revoked := keeper.opened.Load().Ring, keeper.Key().ID
	i.order(keyring.RevokeAnnotation, keyring.CurrentKey)
	i.settle(keeper)
	if err := keeper.open(old); err != nil {
		t.Fatal(err)
	}
	if key := keeper.Key(); key != nil && key.ID == revoked {
		t.Errorf("revoked key %s signs again", revoked)
	}
}

func TestTenantsArePublishedOnceTheyHaveSettled(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	i.tenants = map[string]bool{"b": true, "a": true}
	i.settle(keeper)
	if len(i.published().Tenants) != 0 {
		t.Error("tenants are published at once")
	}
	i.now = i.now.Add(settling)
	i.settle(keeper)
	if got := i.published().Tenants; !got["a"] || !got["b"] || len(got) != 2 {
		t.Errorf("published tenants = %v", got)
	}
	i.tenants = map[string]bool{"a": true}
	i.settle(keeper)
	i.now = i.now.Add(settling)
	i.settle(keeper)
	if got := i.published().Tenants; slices.Contains([]bool{got["b"], !got["a"]}, true) {
		t.Errorf("published tenants = %v", got)
	}
}

func TestUnreadableKeysAreKept(t *testing.T) {
	i := newInstallation(t)
	keeper := i.keeper()
	i.settle(keeper)
	before := keeper.Key().ID
	i.change(func(secret *corev1.Secret) { secret.Data[keyring.SecretKey] = []byte("garbage") })
	if err := keeper.reconcile(t.Context()); err == nil {
		t.Error("no error is returned")
	}
	i.change(func(secret *corev1.Secret) {
		if string(secret.Data[keyring.SecretKey]) != "garbage" {
			t.Error("they are overwritten")
		}
	})
	if keeper.Key().ID != before {
		t.Error("another key signs")
	}
}
