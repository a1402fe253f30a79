package token

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// What a signing key is like. Entra signs with RS256, so validators expect it.
const (
	keyType  = "RSA"
	keyBits  = 2048
	exponent = 65537
)

// Key signs tokens. Its private half never leaves this process.
type Key struct {
	// ID is the key's ID (kid).
	ID string

	// NotBefore and NotAfter bound the time in which its tokens are valid.
	NotBefore, NotAfter time.Time

	private *rsa.PrivateKey
}

// NewKey makes a key that is valid from now on for the validity.
func NewKey(now time.Time, validity time.Duration) (*Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	id, err := KeyID(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Key{ID: id, NotBefore: now, NotAfter: now.Add(validity), private: private}, nil
}

// KeyID is a key's ID: the first 20 bytes of its RFC 7638 SHA-256 thumbprint, in hexadecimal digits.
func KeyID(public *rsa.PublicKey) (string, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("identify a signing key: %w", err)
	}
	return hex.EncodeToString(thumbprint[:20]), nil
}

// Sign signs claims as RS256, with the header of Entra's v1 tokens: x5t is kid (tokens.md section 1).
func (k *Key) Sign(claims Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"], token.Header["x5t"] = k.ID, k.ID
	signed, err := token.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed, nil
}

// Registration is the SigningKey object by which a node's issuer makes the key known.
func (k *Key) Registration(nodeName, nodeUID string) *v1alpha1.SigningKey {
	return &v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: k.ID},
		Spec: v1alpha1.SigningKeySpec{
			NodeName: nodeName, NodeUID: nodeUID, KeyID: k.ID,
			PublicKey: v1alpha1.PublicJWK{
				KeyType:  keyType,
				Modulus:  base64.RawURLEncoding.EncodeToString(k.private.N.Bytes()),
				Exponent: base64.RawURLEncoding.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
			},
			NotBefore: metav1.NewTime(k.NotBefore), NotAfter: metav1.NewTime(k.NotAfter),
		},
	}
}

// ParsePublicKey reads the public key of a SigningKey, and checks that it is one that a node's issuer makes, and the one
// that its ID names. Any other exponent is refused: with a small one, anybody could forge signatures.
func ParsePublicKey(spec v1alpha1.SigningKeySpec) (*rsa.PublicKey, error) {
	if spec.PublicKey.KeyType != keyType {
		return nil, fmt.Errorf("signing key %s has the key type %q, not %s", spec.KeyID, spec.PublicKey.KeyType, keyType)
	}
	modulus, err := base64.RawURLEncoding.DecodeString(spec.PublicKey.Modulus)
	if err != nil {
		return nil, fmt.Errorf("read the modulus of signing key %s: %w", spec.KeyID, err)
	}
	e, err := base64.RawURLEncoding.DecodeString(spec.PublicKey.Exponent)
	if err != nil {
		return nil, fmt.Errorf("read the exponent of signing key %s: %w", spec.KeyID, err)
	}
	if new(big.Int).SetBytes(e).Cmp(big.NewInt(exponent)) != 0 {
		return nil, fmt.Errorf("signing key %s has an exponent other than %d", spec.KeyID, exponent)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: exponent}
	if bits := public.N.BitLen(); bits < keyBits {
		return nil, fmt.Errorf("signing key %s has %d bits, not at least %d", spec.KeyID, bits, keyBits)
	}
	id, err := KeyID(public)
	if err != nil {
		return nil, err
	}
	if id != spec.KeyID {
		return nil, fmt.Errorf("signing key %s is another one: its thumbprint gives the ID %s", spec.KeyID, id)
	}
	return public, nil
}
