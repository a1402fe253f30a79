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

// keyBits is the size of a signing key. Validators expect RS256, as Entra signs.
const keyBits = 2048

// Key signs tokens. Its private half may be in memory or elsewhere.
type Key struct {
	// ID is the key's ID (kid).
	ID string

	// Public is the public half.
	Public *rsa.PublicKey

	// Remote reports whether the private half is elsewhere, so that signing takes a request.
	Remote bool

	sign SignFunc
}

// SignFunc signs a SHA-256 digest for RS256: PKCS #1 v1.5.
type SignFunc func(ctx context.Context, digest []byte) ([]byte, error)

// NewKey returns a key with a signer in memory. It fails if RS256 validators would reject the key.
func NewKey(signer crypto.Signer) (*Key, error) {
	return newKey(signer.Public(), func(_ context.Context, digest []byte) ([]byte, error) {
		return signer.Sign(rand.Reader, digest, crypto.SHA256)
	})
}

// NewRemoteKey returns a key whose private half is elsewhere.
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

// GenerateKey returns a new private key.
func GenerateKey() (*rsa.PrivateKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return private, nil
}

// keyID returns a key's ID: the first 20 bytes of its RFC 7638 SHA-256 thumbprint in hexadecimal.
func keyID(public *rsa.PublicKey) (string, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("identify a signing key: %w", err)
	}
	return hex.EncodeToString(thumbprint[:20]), nil
}

// Sign signs claims with RS256 and the header of Entra's v1 tokens: x5t equals kid (tokens.md section 1).
func (k *Key) Sign(ctx context.Context, claims Claims) (string, error) {
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	unsigned.Header["x5t"] = k.ID
	return k.signToken(ctx, unsigned)
}

// SignAssertion signs other claims with RS256.
func (k *Key) SignAssertion(ctx context.Context, claims jwt.Claims) (string, error) {
	return k.signToken(ctx, jwt.NewWithClaims(jwt.SigningMethodRS256, claims))
}

func (k *Key) signToken(ctx context.Context, unsigned *jwt.Token) (string, error) {
	unsigned.Header["kid"] = k.ID
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

// JWKS returns a JWKS document. golang-jwt has no JWK type, so go-jose supplies it.
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
