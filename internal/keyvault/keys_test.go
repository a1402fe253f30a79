package keyvault

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func keyClient(t *testing.T, f *fixture) *azkeys.Client {
	t.Helper()
	client, err := azkeys.NewClient(vaultURL, credential(f.token(t)), &azkeys.ClientOptions{ClientOptions: f.options()})
	must(t, err, "make a client")
	return client
}

var keyKinds = map[string]azkeys.CreateKeyParameters{
	"rsa-default": {Kty: new(azkeys.KeyTypeRSA)},
	"rsa-3072":    {Kty: new(azkeys.KeyTypeRSA), KeySize: new(int32(3072))},
	"p-256":       {Kty: new(azkeys.KeyTypeEC)},
	"p-384":       {Kty: new(azkeys.KeyTypeEC), Curve: new(azkeys.CurveNameP384)},
	"p-521":       {Kty: new(azkeys.KeyTypeEC), Curve: new(azkeys.CurveNameP521)},
}

func TestKeysAreCreated(t *testing.T) {
	t.Parallel()
	client := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer))
	for name, parameters := range keyKinds {
		created, err := client.CreateKey(t.Context(), name, parameters, nil)
		must(t, err, "create "+name)
		read, err := client.GetKey(t.Context(), name, created.Key.KID.Version(), nil)
		must(t, err, "read "+name)
		key := read.Key
		if *key.KID != *created.Key.KID || key.D != nil || key.P != nil || len(key.KeyOps) == 0 || !*read.Attributes.Enabled {
			t.Errorf("%s: key = %+v, attributes = %+v", name, key, read.Attributes)
		}
		if *parameters.Kty == azkeys.KeyTypeRSA {
			if want := max(2048, int(pointed(parameters.KeySize))); 8*len(key.N) != want || !bytes.Equal(key.E, []byte{1, 0, 1}) {
				t.Errorf("%s: modulus of %d bits, exponent %v", name, 8*len(key.N), key.E)
			}
		} else if want := cmpOr(parameters.Curve, azkeys.CurveNameP256); *key.Crv != want || len(key.X) != len(key.Y) {
			t.Errorf("%s: curve %s, want %s", name, *key.Crv, want)
		}
	}
}

func pointed[T any](value *T) T {
	var zero T
	return cmpOr(value, zero)
}

func cmpOr[T any](value *T, other T) T {
	if value == nil {
		return other
	}
	return *value
}

func TestKeysAreImported(t *testing.T) {
	t.Parallel()
	client, ctx := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer)), t.Context()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err, "make a key")
	key := &azkeys.JSONWebKey{
		Kty: new(azkeys.KeyTypeRSA), N: private.N.Bytes(), E: []byte{1, 0, 1}, D: private.D.Bytes(),
		P: private.Primes[0].Bytes(), Q: private.Primes[1].Bytes(), DP: private.Precomputed.Dp.Bytes(), DQ: private.Precomputed.Dq.Bytes(), QI: private.Precomputed.Qinv.Bytes(),
		KeyOps: []*azkeys.KeyOperation{new(azkeys.KeyOperationSign)},
	}
	imported, err := client.ImportKey(ctx, "mine", azkeys.ImportKeyParameters{Key: key}, nil)
	must(t, err, "import a key")
	if imported.Key.D != nil || !bytes.Equal(imported.Key.N, private.N.Bytes()) || len(imported.Key.KeyOps) != 1 {
		t.Errorf("imported: %+v", imported.Key)
	}
	digest := sha256.Sum256([]byte("order"))
	signed, err := client.Sign(ctx, "mine", "", azkeys.SignParameters{Algorithm: new(azkeys.SignatureAlgorithmRS256), Value: digest[:]}, nil)
	must(t, err, "sign with it")
	if err := rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, digest[:], signed.Result); err != nil {
		t.Errorf("the signature: %v", err)
	}
	key.D = new(big.Int).Add(private.D, big.NewInt(2)).Bytes()
	_, err = client.ImportKey(ctx, "wrong", azkeys.ImportKeyParameters{Key: key}, nil)
	wantError(t, "numbers that do not belong together", err, http.StatusBadRequest, "BadParameter")
	_, err = client.ImportKey(ctx, "hsm", azkeys.ImportKeyParameters{Key: key, HSM: new(true)}, nil)
	wantError(t, "into an HSM", err, http.StatusBadRequest, "HSM")
}

func TestKeysHaveALifeAsSecretsHave(t *testing.T) {
	t.Parallel()
	client, ctx := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer)), t.Context()
	for range 2 {
		_, err := client.CreateKey(ctx, "Life", keyKinds["p-256"], nil)
		must(t, err, "create a key")
	}
	var versions []string
	for pager := client.NewListKeyPropertiesVersionsPager("life", nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		must(t, err, "list the versions")
		for _, one := range page.Value {
			versions = append(versions, one.KID.Version())
		}
	}
	if len(versions) != 2 || slices.Contains(versions, "") {
		t.Errorf("versions = %q", versions)
	}
	backup, err := client.BackupKey(ctx, "life", nil)
	must(t, err, "back the key up")
	deleted, err := client.DeleteKey(ctx, "life", nil)
	must(t, err, "delete it")
	if deleted.Key == nil || *deleted.RecoveryID != vaultURL+"/deletedkeys/Life" {
		t.Errorf("deleted: %+v", deleted)
	}
	_, err = client.CreateKey(ctx, "life", keyKinds["p-256"], nil)
	wantError(t, "the name of a deleted key", err, http.StatusConflict, "ObjectIsDeletedButRecoverable")
	page, err := client.NewListDeletedKeyPropertiesPager(nil).NextPage(ctx)
	must(t, err, "list the deleted keys")
	if len(page.Value) != 1 || page.Value[0].KID.Name() != "Life" || page.Value[0].KID.Version() != "" {
		t.Errorf("deleted keys: %+v", page.Value)
	}
	_, err = client.RecoverDeletedKey(ctx, "life", nil)
	must(t, err, "recover it")
	_, err = client.DeleteKey(ctx, "life", nil)
	must(t, err, "delete it again")
	_, err = client.PurgeDeletedKey(ctx, "life", nil)
	must(t, err, "purge it")
	_, err = client.GetKey(ctx, "life", "", nil)
	wantError(t, "a purged key", err, http.StatusNotFound, "KeyNotFound")
	restored, err := client.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: backup.Value}, nil)
	must(t, err, "restore it")
	digest := sha256.Sum256([]byte("order"))
	signed, err := client.Sign(ctx, "life", restored.Key.KID.Version(), azkeys.SignParameters{Algorithm: new(azkeys.SignatureAlgorithmES256), Value: digest[:]}, nil)
	must(t, err, "sign with the restored key")
	if !verifies(restored.Key, digest[:], signed.Result) {
		t.Error("the restored key has another private part")
	}
}

func TestWhatKeysAreRefused(t *testing.T) {
	t.Parallel()
	client, ctx := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer)), t.Context()
	_, err := client.CreateKey(ctx, "p-256", keyKinds["p-256"], nil)
	must(t, err, "create a key")
	for name, test := range map[string]struct {
		err    error
		status int
		part   string
	}{
		"an HSM's":         {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeRSAHSM)}, nil)), 400, "HSM"},
		"a symmetric one":  {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeOct)}, nil)), 400, "HSM"},
		"a short one":      {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeRSA), KeySize: new(int32(1024))}, nil)), 400, "1024"},
		"another curve":    {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeEC), Curve: new(azkeys.CurveNameP256K)}, nil)), 400, "P-256K"},
		"another exponent": {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeRSA), PublicExponent: new(int32(3))}, nil)), 400, "65537"},
		"exportable": {failure(client.CreateKey(ctx, "x", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeRSA), KeyAttributes: &azkeys.KeyAttributes{
			Exportable: new(true),
		}}, nil)), 400, "exported"},
		"released": {failure(client.Release(ctx, "p-256", "00000000000000000000000000000000", azkeys.ReleaseParameters{TargetAttestationToken: new("x")}, nil)), 403, "exportable"},
		"encrypting with an EC key": {failure(client.Encrypt(ctx, "p-256", "", azkeys.KeyOperationParameters{
			Algorithm: new(azkeys.EncryptionAlgorithmRSAOAEP), Value: []byte("x"),
		}, nil)), 403, "KeyOperationForbidden"},
		"signing half a digest": {failure(client.Sign(ctx, "p-256", "", azkeys.SignParameters{Algorithm: new(azkeys.SignatureAlgorithmES256), Value: []byte("short")}, nil)), 400, "length"},
		"another key's algorithm": {failure(client.Sign(ctx, "p-256", "", azkeys.SignParameters{
			Algorithm: new(azkeys.SignatureAlgorithmRS256), Value: make([]byte, 32),
		}, nil)), 400, "RS256"},
	} {
		wantError(t, name, test.err, test.status, test.part)
	}
}

// Who may use keys may not make any.
func TestRolesOfKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCryptoOfficer)
	client, ctx := keyClient(t, f), t.Context()
	_, err := client.CreateKey(ctx, "key", keyKinds["p-256"], nil)
	must(t, err, "create a key")
	sign := func() error {
		return failure(client.Sign(ctx, "key", "", azkeys.SignParameters{Algorithm: new(azkeys.SignatureAlgorithmES256), Value: make([]byte, 32)}, nil))
	}
	f.role.Store(new(v1alpha1.KeyVaultCryptoUser))
	must(t, sign(), "sign as a user")
	wantError(t, "a user", failure(client.CreateKey(ctx, "other", keyKinds["p-256"], nil)), http.StatusForbidden, "keys/create/action", "keys/other")
	f.role.Store(new(v1alpha1.KeyVaultReader))
	wantError(t, "a reader", sign(), http.StatusForbidden, "ForbiddenByRbac", "Microsoft.KeyVault/vaults/keys/sign/action")
	must(t, failure(client.GetKey(ctx, "key", "", nil)), "read as a reader")
	f.role.Store(new(v1alpha1.KeyVaultSecretsOfficer))
	wantError(t, "who has secrets", failure(client.GetKey(ctx, "key", "", nil)), http.StatusForbidden, "keys/read")
}

// Whatever somebody sends, the private part of a key is in no answer.
func TestPrivatePartStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	_, err := keyClient(t, f).CreateKey(t.Context(), "key", keyKinds["rsa-default"], nil)
	must(t, err, "create a key")
	for _, path := range []string{"/keys/key", "/keys", "/keys/key/versions", "/secrets/key"} {
		_, body := f.send(t, http.MethodGet, path+"?api-version=7.6", "")
		for _, private := range []string{`"d":`, `"p":`, "PRIVATE KEY"} {
			if strings.Contains(body, private) {
				t.Errorf("%s has %s", path, private)
			}
		}
	}
}
