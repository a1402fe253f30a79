package keyvault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// What the vault signs, Go verifies with the public key, and the vault too.
func TestKeysSign(t *testing.T) {
	t.Parallel()
	client := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer))
	digest := sha256.Sum256([]byte("order"))
	for name, algorithm := range map[string]azkeys.SignatureAlgorithm{"rsa-default": azkeys.SignatureAlgorithmPS256, "p-256": azkeys.SignatureAlgorithmES256} {
		created, err := client.CreateKey(t.Context(), name, keyKinds[name], nil)
		must(t, err, "create "+name)
		// Without a version it is the current one.
		signed, err := client.Sign(t.Context(), name, "", azkeys.SignParameters{Algorithm: &algorithm, Value: digest[:]}, nil)
		must(t, err, "sign with "+name)
		if *signed.KID != *created.Key.KID {
			t.Errorf("%s: signed by %s, want %s", name, *signed.KID, *created.Key.KID)
		}
		if !verifies(created.Key, digest[:], signed.Result) {
			t.Errorf("%s: Go does not verify the signature", name)
		}
		for what, test := range map[string]struct {
			digest []byte
			want   bool
		}{"the digest": {digest[:], true}, "another digest": {make([]byte, 32), false}} {
			verified, err := client.Verify(t.Context(), name, created.Key.KID.Version(), azkeys.VerifyParameters{Algorithm: &algorithm, Digest: test.digest, Signature: signed.Result}, nil)
			must(t, err, "verify")
			if *verified.Value != test.want {
				t.Errorf("%s: %s verifies: %t", name, what, *verified.Value)
			}
		}
	}
}

func verifies(key *azkeys.JSONWebKey, digest, signature []byte) bool {
	if *key.Kty == azkeys.KeyTypeRSA {
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(key.N), E: 65537}
		return rsa.VerifyPSS(public, crypto.SHA256, digest, signature, nil) == nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, key.X, key.Y))
	return err == nil && ecdsa.Verify(public, digest, new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
}

func TestKeysEncryptAndWrap(t *testing.T) {
	t.Parallel()
	client, ctx := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoOfficer)), t.Context()
	_, err := client.CreateKey(ctx, "rsa", keyKinds["rsa-default"], nil)
	must(t, err, "create a key")
	secret := []byte("a key of 16 byte")
	for _, algorithm := range []azkeys.EncryptionAlgorithm{azkeys.EncryptionAlgorithmRSAOAEP, azkeys.EncryptionAlgorithmRSAOAEP256, azkeys.EncryptionAlgorithmRSA15} {
		encrypted, err := client.Encrypt(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: secret}, nil)
		must(t, err, "encrypt")
		decrypted, err := client.Decrypt(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: encrypted.Result}, nil)
		must(t, err, "decrypt")
		wrapped, err := client.WrapKey(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: secret}, nil)
		must(t, err, "wrap")
		unwrapped, err := client.UnwrapKey(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: wrapped.Result}, nil)
		must(t, err, "unwrap")
		if !bytes.Equal(decrypted.Result, secret) || !bytes.Equal(unwrapped.Result, secret) || bytes.Equal(encrypted.Result, wrapped.Result) {
			t.Errorf("%s: decrypted %q, unwrapped %q", algorithm, decrypted.Result, unwrapped.Result)
		}
	}
}

// A key outside its time, disabled, or without the operation is forbidden; old data can be decrypted all the same.
func TestKeysAreUsedAsTheyMay(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCryptoOfficer)
	client, ctx := keyClient(t, f), t.Context()
	oaep, text := azkeys.EncryptionAlgorithmRSAOAEP256, []byte("text")
	created, err := client.CreateKey(ctx, "rsa", azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeRSA), KeyAttributes: &azkeys.KeyAttributes{
		NotBefore: new(f.now().Add(-time.Hour)), Expires: new(f.now().Add(time.Hour)),
	}}, nil)
	must(t, err, "create a key")
	encrypt := func() (azkeys.EncryptResponse, error) {
		return client.Encrypt(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &oaep, Value: text}, nil)
	}
	encrypted, err := encrypt()
	must(t, err, "encrypt")
	decrypt := func() error {
		_, err := client.Decrypt(ctx, "rsa", "", azkeys.KeyOperationParameters{Algorithm: &oaep, Value: encrypted.Result}, nil)
		return err
	}
	f.wait(2 * time.Hour)
	wantError(t, "expired", failure(encrypt()), http.StatusForbidden, "KeyExpired")
	must(t, decrypt(), "decrypt with an expired key")
	f.wait(-4 * time.Hour)
	wantError(t, "not yet valid", failure(encrypt()), http.StatusForbidden, "KeyNotYetValid")
	must(t, decrypt(), "decrypt with a key that is not yet valid")
	f.wait(2 * time.Hour)

	update := func(parameters azkeys.UpdateKeyParameters) {
		t.Helper()
		_, err := client.UpdateKey(ctx, "rsa", created.Key.KID.Version(), parameters, nil)
		must(t, err, "update the key")
	}
	update(azkeys.UpdateKeyParameters{KeyOps: []*azkeys.KeyOperation{new(azkeys.KeyOperationEncrypt)}, Tags: map[string]*string{"team": new("retail")}})
	must(t, failure(encrypt()), "encrypt")
	wantError(t, "not among its operations", decrypt(), http.StatusForbidden, "KeyOperationForbidden")
	update(azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: new(false)}})
	wantError(t, "disabled", failure(encrypt()), http.StatusForbidden, "KeyDisabled")
	read, err := client.GetKey(ctx, "rsa", "", nil)
	must(t, err, "read a disabled key")
	if *read.Attributes.Enabled || len(read.Key.KeyOps) != 1 || *read.Tags["team"] != "retail" {
		t.Errorf("updated: %+v", read)
	}
}

func TestRandomBytes(t *testing.T) {
	t.Parallel()
	client, ctx := keyClient(t, newFixture(t, v1alpha1.KeyVaultCryptoUser)), t.Context()
	random, err := client.GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: new(int32(128))}, nil)
	must(t, err, "get random bytes")
	if len(random.Value) != 128 || bytes.Equal(random.Value, make([]byte, 128)) {
		t.Errorf("got %v", random.Value)
	}
	_, err = client.GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: new(int32(129))}, nil)
	wantError(t, "too many", err, http.StatusBadRequest, "count")
}
