package keyvault

import (
	"context"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// Seed sets a secret, unless the vault has one of that name, deleted or not.
func (s *Server) Seed(ctx context.Context, vault *Vault, name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("set the secret %q: a name has 1 to 127 letters, digits and hyphens", name)
	}
	if len(value) > maxValue {
		return fmt.Errorf("set the secret %q: its value is longer than %d bytes", name, maxValue)
	}
	secrets := s.newKinds().secrets
	for _, keeper := range secrets.keepers() {
		if found, err := keeper.store.Get(ctx, vault.UID, name); err != nil || found != nil {
			return err
		}
	}
	version := secrets.newVersion()
	if err := secrets.store.PutValue(ctx, vault.UID, name, version.ID, []byte(value)); err != nil {
		return err
	}
	_, err := secrets.store.Change(ctx, vault.UID, name, func(object *store.Object) error {
		if len(object.Versions) == 0 {
			object.Versions = append(object.Versions, version)
		}
		return nil
	})
	return err
}
