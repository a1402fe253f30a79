package jwk

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"hash"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// encryption is an algorithm that encrypts, and that wraps keys.
type encryption struct {
	// hash is that of OAEP; without it, the padding is that of PKCS #1 1.5.
	hash func() hash.Hash
}

// encryptions are the algorithms by their names (RFC 7518, section 4.1).
var encryptions = map[string]encryption{
	"RSA1_5":       {},
	"RSA-OAEP":     {sha1.New},
	"RSA-OAEP-256": {sha256.New},
}

// Encrypt encrypts a short text or, what is the same, wraps a key.
func (k *Key) Encrypt(algorithm string, plain []byte) ([]byte, error) {
	chosen, err := k.encryption(algorithm)
	if err != nil {
		return nil, err
	}
	if most := k.rsa.Size() - chosen.overhead(); len(plain) > most {
		return nil, refusal.New("Invalid length of 'value': %d bytes. %s takes at most %d bytes with this key.", len(plain), algorithm, most)
	}
	if chosen.hash == nil {
		//nolint:staticcheck // Vaults have it, for what was written long ago.
		return rsa.EncryptPKCS1v15(rand.Reader, &k.rsa.PublicKey, plain)
	}
	return rsa.EncryptOAEP(chosen.hash(), rand.Reader, &k.rsa.PublicKey, plain, nil)
}

// Decrypt returns what Encrypt encrypted. All that fails is refused alike, so that nobody learns how far it came.
//
// That it fails is an answer too: with RSA1_5, who may decrypt can have the key sign by asking often (Bleichenbacher's attack), whatever
// its operations are. Azure's vaults have the same, and the same remedy: a key signs or decrypts, not both.
func (k *Key) Decrypt(algorithm string, encrypted []byte) ([]byte, error) {
	chosen, err := k.encryption(algorithm)
	if err != nil {
		return nil, err
	}
	var plain []byte
	switch {
	case len(encrypted) != k.rsa.Size():
		return nil, undecryptable()
	case chosen.hash == nil:
		//nolint:staticcheck // Vaults have it, for what was written long ago.
		plain, err = rsa.DecryptPKCS1v15(rand.Reader, k.rsa, encrypted)
	default:
		plain, err = rsa.DecryptOAEP(chosen.hash(), rand.Reader, k.rsa, encrypted, nil)
	}
	if err != nil {
		return nil, undecryptable()
	}
	return plain, nil
}

func undecryptable() error { return refusal.New("Unable to decrypt specified value with this key.") }

// encryption returns an algorithm, if it fits the key.
func (k *Key) encryption(algorithm string) (encryption, error) {
	chosen, ok := encryptions[algorithm]
	if !ok {
		return encryption{}, unsupported(algorithm)
	}
	if k.rsa == nil {
		return encryption{}, refusal.New("Key and encryption algorithm are incompatible. Algorithm '%s' requires a key of type 'RSA'.", algorithm)
	}
	return chosen, nil
}

// overhead is how much shorter a text must be than the modulus, in bytes (RFC 8017, sections 7.1 and 7.2).
func (e encryption) overhead() int {
	if e.hash == nil {
		return 11
	}
	return 2*e.hash().Size() + 2
}
