package keyvault

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCryptoOfficer)
	client, ctx := keyClient(t, f), t.Context()
	created, err := client.CreateKey(ctx, "turns", azkeys.CreateKeyParameters{
		Kty: new(azkeys.KeyTypeEC), Curve: new(azkeys.CurveNameP384), Tags: map[string]*string{"team": new("retail")},
		KeyOps: []*azkeys.KeyOperation{new(azkeys.KeyOperationSign)},
	}, nil)
	must(t, err, "create a key")
	before, err := client.GetKeyRotationPolicy(ctx, "turns", nil)
	must(t, err, "read the policy that it has by default")
	if len(before.LifetimeActions) != 1 || *before.LifetimeActions[0].Action.Type != azkeys.KeyRotationPolicyActionNotify {
		t.Errorf("default policy: %+v", before.KeyRotationPolicy)
	}
	set, err := client.UpdateKeyRotationPolicy(ctx, "turns", azkeys.KeyRotationPolicy{
		Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: new("P60D")},
		LifetimeActions: []*azkeys.LifetimeAction{{
			Action: &azkeys.LifetimeActionType{Type: new(azkeys.KeyRotationPolicyActionRotate)}, Trigger: &azkeys.LifetimeActionTrigger{TimeAfterCreate: new("P30D")},
		}},
	}, nil)
	must(t, err, "set a policy")
	if *set.ID != vaultURL+"/keys/turns/rotationpolicy" || *set.Attributes.ExpiryTime != "P60D" || set.Attributes.Created == nil {
		t.Errorf("policy: %+v", set.KeyRotationPolicy)
	}
	rotated, err := client.RotateKey(ctx, "turns", nil)
	must(t, err, "rotate the key")
	if rotated.Key.KID.Version() == created.Key.KID.Version() || *rotated.Key.Crv != azkeys.CurveNameP384 || bytes.Equal(rotated.Key.X, created.Key.X) ||
		len(rotated.Key.KeyOps) != 1 || *rotated.Tags["team"] != "retail" || rotated.Attributes.Expires.Sub(*rotated.Attributes.Created) != 60*24*time.Hour {
		t.Errorf("rotated: %+v, attributes %+v", rotated.Key, rotated.Attributes)
	}

	current := func() string {
		t.Helper()
		must(t, (&Rotator{Server: f.server}).Rotate(ctx), "look at the keys")
		key, err := client.GetKey(ctx, "turns", "", nil)
		must(t, err, "read the key")
		return key.Key.KID.Version()
	}
	f.wait(29 * 24 * time.Hour)
	if now := current(); now != rotated.Key.KID.Version() {
		t.Error("the key was rotated before it was due")
	}
	f.wait(48 * time.Hour)
	next := current()
	if next == rotated.Key.KID.Version() || next != current() {
		t.Errorf("after 31 days the version is %s, and then %s", next, current())
	}
	_, err = client.UpdateKeyRotationPolicy(ctx, "turns", azkeys.KeyRotationPolicy{Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: new("P1D")}}, nil)
	wantError(t, "a short life", err, http.StatusBadRequest, "expiryTime")
}

// A deleted key is not rotated, and one that two servers rotate at once has one successor.
func TestRotatorLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCryptoOfficer)
	client, ctx := keyClient(t, f), t.Context()
	policy := azkeys.KeyRotationPolicy{LifetimeActions: []*azkeys.LifetimeAction{{
		Action: &azkeys.LifetimeActionType{Type: new(azkeys.KeyRotationPolicyActionRotate)}, Trigger: &azkeys.LifetimeActionTrigger{TimeAfterCreate: new("P30D")},
	}}}
	for _, name := range []string{"deleted", "twice"} {
		_, err := client.CreateKey(ctx, name, keyKinds["p-256"], nil)
		must(t, err, "create a key")
		_, err = client.UpdateKeyRotationPolicy(ctx, name, policy, nil)
		must(t, err, "set its policy")
	}
	_, err := client.DeleteKey(ctx, "deleted", nil)
	must(t, err, "delete a key")
	f.wait(31 * 24 * time.Hour)
	rotations := make(chan error, 4)
	for range cap(rotations) {
		go func() { rotations <- (&Rotator{Server: f.server}).Rotate(ctx) }()
	}
	for range cap(rotations) {
		must(t, <-rotations, "rotate")
	}
	for name, want := range map[string]int{"deleted": 1, "twice": 2} {
		object, err := f.server.newKinds().keys.store.Get(ctx, "uid", name)
		must(t, err, "read a key")
		if len(object.Versions) != want {
			t.Errorf("%s has %d versions, want %d", name, len(object.Versions), want)
		}
	}
}
