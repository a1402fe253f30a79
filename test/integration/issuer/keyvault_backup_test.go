package issuer

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// testBackupsAreRestored restores a secret with all its versions after it was purged, and never over another one.
func testBackupsAreRestored(t *testing.T, v *vaultTest) {
	vault, ctx := v.client(t), t.Context()
	first, err := vault.SetSecret(ctx, "Saved", azsecrets.SetSecretParameters{Value: new("old"), Tags: map[string]*string{"team": new("retail")}}, nil)
	must(t, err, "set a secret")
	_, err = vault.SetSecret(ctx, "saved", azsecrets.SetSecretParameters{Value: new("new")}, nil)
	must(t, err, "set it again")
	backup, err := vault.BackupSecret(ctx, "saved", nil)
	must(t, err, "back it up")
	_, err = vault.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup.Value}, nil)
	wantError(t, err, http.StatusConflict, "Conflict")
	_, err = vault.DeleteSecret(ctx, "saved", nil)
	must(t, err, "delete it")
	_, err = vault.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup.Value}, nil)
	wantError(t, err, http.StatusConflict, "Conflict")
	_, err = vault.PurgeDeletedSecret(ctx, "saved", nil)
	must(t, err, "purge it")

	for name, content := range map[string][]byte{
		"empty": {}, "short": backup.Value[:8], "cut": backup.Value[:len(backup.Value)-1], "changed": append([]byte{backup.Value[0] ^ 1}, backup.Value[1:]...),
	} {
		_, err := vault.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: content}, nil)
		t.Run(name, func(t *testing.T) { wantError(t, err, http.StatusBadRequest, "BadParameter") })
	}
	_, err = vault.RestoreSecret(ctx, azsecrets.RestoreSecretParameters{SecretBackup: backup.Value}, nil)
	must(t, err, "restore it")
	current, err := vault.GetSecret(ctx, "saved", "", nil)
	must(t, err, "read it")
	old, err := vault.GetSecret(ctx, "saved", first.ID.Version(), nil)
	must(t, err, "read its first version")
	if *current.Value != "new" || *old.Value != "old" || *old.Tags["team"] != "retail" {
		t.Errorf("restored: current %+v, first %+v", current, old)
	}
}
