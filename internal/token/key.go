package token

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// keyBits is the size of a signing key. Entra signs with RS256, so validators expect it.
const keyBits = 2048

// Key signs tokens. Where its private half is kept is the signer's business: in memory, or elsewhere.
type Key struct {
	// ID is the key's ID (kid).
	ID string

	// Public is the half that validators know.
	Public *rsa.PublicKey

	// Remote reports whether the private half is kept elsewhere, so that a signature takes a request.
	Remote bool

	sign SignFunc
}

// SignFunc makes the signature of a SHA-256 digest that RS256 asks for: PKCS #1 v1.5.
type SignFunc func(ctx context.Context, digest []byte) ([]byte, error)

// NewKey signs with a signer in memory, whose key must be one that validators of RS256 take.
func NewKey(signer crypto.Signer) (*Key, error) {
	return newKey(signer.Public(), func(_ context.Context, digest []byte) ([]byte, error) {
		return signer.Sign(rand.Reader, digest, crypto.SHA256)
	})
}

// NewRemoteKey is a key whose private half is kept elsewhere.
func NewRemoteKey(public crypto.PublicKey, sign SignFunc) (*Key, error) {
	key, err := newKey(public, sign)
	if err != nil {
		return nil, err
	}
	key.Remote = true
	return key, nil
}

func newKey(public crypto.PublicKey, sign SignFunc) (*Key, error) {
	half, ok := public.(*rsa.PublicKey)
	if !ok || half.N.BitLen() < keyBits {
		return nil, fmt.Errorf("a signing key must be an RSA key of at least %d bits", keyBits)
	}
	id, err := keyID(half)
	if err != nil {
		return nil, err
	}
	return &Key{ID: id, Public: half, sign: sign}, nil
}

// GenerateKey makes the private half of a key.
func GenerateKey() (*rsa.PrivateKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return private, nil
}

// keyID is a key's ID: the first 20 bytes of its RFC 7638 SHA-256 thumbprint, in hexadecimal digits.
func keyID(public *rsa.PublicKey) (string, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("identify a signing key: %w", err)
	}
	return hex.EncodeToString(thumbprint[:20]), nil
}

// Sign signs claims as RS256, with the header of Entra's v1 tokens: x5t is kid (tokens.md section 1).
func (k *Key) Sign(ctx context.Context, claims Claims) (string, error) {
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	unsigned.Header["kid"], unsigned.Header["x5t"] = k.ID, k.ID
	text, err := unsigned.SigningString()
	if err != nil {
		return "", fmt.Errorf("render a token: %w", err)
	}
	digest := sha256.Sum256([]byte(text))
	signature, err := k.sign(ctx, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// JWKS renders public keys in the order in which they are given.
func JWKS(keys []*Key) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public, KeyID: key.ID, Use: "sig"})
	}
	document, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("render the JWKS: %w", err)
	}
	return document, nil
}
