package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // is used by its number
	"math/big"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// signature is an algorithm that signs.
type signature struct {
	hash crypto.Hash

	// curve is the one that keys of an ES algorithm have, or "" for RSA.
	curve string

	// pss is how a PS algorithm pads; the others of RSA pad as PKCS #1 1.5 does.
	pss *rsa.PSSOptions
}

// saltAsHash is the salt of RFC 7518.
var saltAsHash = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

// signatures are the algorithms by their names (RFC 7518, section 3.1).
var signatures = map[string]signature{
	"RS256": {hash: crypto.SHA256},
	"RS384": {hash: crypto.SHA384},
	"RS512": {hash: crypto.SHA512},
	"PS256": {hash: crypto.SHA256, pss: saltAsHash},
	"PS384": {hash: crypto.SHA384, pss: saltAsHash},
	"PS512": {hash: crypto.SHA512, pss: saltAsHash},
	"ES256": {hash: crypto.SHA256, curve: "P-256"},
	"ES384": {hash: crypto.SHA384, curve: "P-384"},
	"ES512": {hash: crypto.SHA512, curve: "P-521"},
}

// Sign signs a digest of the algorithm's hash. Signatures of EC keys are both numbers, one after the other.
func (k *Key) Sign(algorithm string, digest []byte) ([]byte, error) {
	chosen, err := k.signature(algorithm, "value", digest)
	if err != nil {
		return nil, err
	}
	switch {
	case chosen.curve != "":
		return k.signEC(digest)
	case chosen.pss != nil:
		return rsa.SignPSS(rand.Reader, k.rsa, chosen.hash, digest, chosen.pss)
	}
	return rsa.SignPKCS1v15(rand.Reader, k.rsa, chosen.hash, digest)
}

// Verify reports whether a signature is the key's of a digest.
func (k *Key) Verify(algorithm string, digest, signed []byte) (bool, error) {
	chosen, err := k.signature(algorithm, "digest", digest)
	if err != nil {
		return false, err
	}
	switch {
	case chosen.curve != "":
		return k.verifyEC(digest, signed), nil
	case chosen.pss != nil:
		return rsa.VerifyPSS(&k.rsa.PublicKey, chosen.hash, digest, signed, chosen.pss) == nil, nil
	}
	return rsa.VerifyPKCS1v15(&k.rsa.PublicKey, chosen.hash, digest, signed) == nil, nil
}

// signature returns an algorithm, if it fits the key and the digest, which the request has as property.
func (k *Key) signature(algorithm, property string, digest []byte) (signature, error) {
	chosen, ok := signatures[algorithm]
	if !ok {
		return signature{}, unsupported(algorithm)
	}
	switch {
	case k.ec == nil && chosen.curve != "":
		return signature{}, refusal.New("Key and signing algorithm are incompatible. Algorithm '%s' requires a key of type 'EC'.", algorithm)
	case k.ec != nil && chosen.curve == "":
		return signature{}, refusal.New("Key and signing algorithm are incompatible. Algorithm '%s' requires a key of type 'RSA'.", algorithm)
	case k.ec != nil && chosen.curve != k.ec.Params().Name:
		return signature{}, refusal.New("Key and signing algorithm are incompatible. The key uses curve '%s', and algorithm '%s' can only be used with curve '%s'.",
			k.ec.Params().Name, algorithm, chosen.curve)
	case len(digest) != chosen.hash.Size():
		return signature{}, refusal.New("Invalid length of '%s': %d bytes. %s requires %d bytes, encoded with base64url.",
			property, len(digest), algorithm, chosen.hash.Size())
	}
	return chosen, nil
}

func (k *Key) signEC(digest []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.ec, digest)
	if err != nil {
		return nil, err
	}
	half := k.halfSignature()
	signed := make([]byte, 2*half)
	r.FillBytes(signed[:half])
	s.FillBytes(signed[half:])
	return signed, nil
}

func (k *Key) verifyEC(digest, signed []byte) bool {
	half := k.halfSignature()
	if len(signed) != 2*half {
		return false
	}
	return ecdsa.Verify(&k.ec.PublicKey, digest, new(big.Int).SetBytes(signed[:half]), new(big.Int).SetBytes(signed[half:]))
}

// halfSignature is how long a number of an EC key's signature is, in bytes.
func (k *Key) halfSignature() int { return (k.ec.Params().BitSize + 7) / 8 }

func unsupported(algorithm string) error {
	if algorithm == "" {
		return refusal.New("Property 'alg' is required.")
	}
	return refusal.New("Algorithm %.64q is not supported.", algorithm)
}
