package keyvault

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/internal/keyvault/jwk"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// As time goes on, keys are rotated when their policies say so, and what is past its retention is removed.
func TestUpkeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := &store.Memory{}
		server := &Server{Records: records, Now: time.Now, Log: logr.Discard()}
		k := server.newKinds().keys
		addKey(t, k, "turns", `{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"Rotate"}}]}`, nil)
		addKey(t, k, "gone", `{}`, &store.Deletion{Purge: time.Now().Add(7 * 24 * time.Hour).Unix()})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = (&Upkeep{Server: server, Log: logr.Discard()}).Start(ctx) }()
		for _, test := range []struct {
			days, versions, records int
		}{{6, 1, 4}, {8, 1, 2}, {29, 1, 2}, {31, 2, 3}} {
			time.Sleep(time.Until(time.Date(2000, 1, 1+test.days, 1, 0, 0, 0, time.UTC)))
			synctest.Wait()
			object, err := k.store.Get(ctx, "uid", "turns")
			must(t, err, "read a key")
			all, err := records.List(ctx, nil)
			must(t, err, "list the records")
			if len(object.Versions) != test.versions || len(all) != test.records {
				t.Errorf("after %d days: %d versions and %d records, want %d and %d", test.days, len(object.Versions), len(all), test.versions, test.records)
			}
		}
	})
}

// addKey keeps a key with a policy.
func addKey(t *testing.T, k keys, name, policy string, deleted *store.Deletion) {
	t.Helper()
	key, err := jwk.Generate(jwk.Spec{Type: jwk.EC})
	must(t, err, "make a key")
	version := k.newVersion()
	private, err := describeKey(&version, key, []jwk.Operation{jwk.Sign})
	must(t, err, "describe it")
	must(t, k.store.PutValue(t.Context(), "uid", name, version.ID, private), "keep it")
	_, err = k.store.Change(t.Context(), "uid", name, func(object *store.Object) error {
		object.Versions, object.Detail, object.Deleted = []store.Version{version}, []byte(policy), deleted
		return nil
	})
	must(t, err, "keep its policy")
}
