package jwk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Type is the type of a key (kty).
type Type string

// The types that vaults have. Those with HSM in their name, and oct, need a managed HSM.
const (
	RSA Type = "RSA"
	EC  Type = "EC"
)

// Spec says which key to make.
type Spec struct {
	Type Type

	// Size is that of the modulus or of the curve in bits, or 0.
	Size int

	// Curve is that of an EC key, or "".
	Curve string
}

// The sizes of RSA keys; the first one is the default.
var sizes = []int{2048, 3072, 4096}

// curves are those of EC keys; the first one is the default. P-256K is left out: Go's own cryptography does not have it.
var curves = []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}

// Generate makes a key. A long RSA key takes seconds of a core.
func Generate(spec Spec) (*Key, error) {
	if err := checkType(spec.Type); err != nil {
		return nil, err
	}
	if spec.Type == RSA {
		return generateRSA(spec)
	}
	return generateEC(spec)
}

func generateRSA(spec Spec) (*Key, error) {
	if spec.Curve != "" {
		return nil, refusal.New("Property 'crv' is not valid for keys of type RSA.")
	}
	size := spec.Size
	if size == 0 {
		size = sizes[0]
	}
	if err := checkSize(size); err != nil {
		return nil, err
	}
	private, err := rsa.GenerateKey(rand.Reader, size)
	if err != nil {
		return nil, fmt.Errorf("make an RSA key: %w", err)
	}
	return &Key{rsa: private}, nil
}

func generateEC(spec Spec) (*Key, error) {
	curve, err := spec.curve()
	if err != nil {
		return nil, err
	}
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an EC key: %w", err)
	}
	return &Key{ec: private}, nil
}

// curve returns the curve by its name or by its size, which must agree if both are there.
func (s Spec) curve() (elliptic.Curve, error) {
	if s.Curve == "" && s.Size == 0 {
		return curves[0], nil
	}
	if s.Curve == "" {
		for _, curve := range curves {
			if curve.Params().BitSize == s.Size {
				return curve, nil
			}
		}
		return nil, refusal.New("Unsupported key size (%d). Supported sizes are [256, 384, 521]", s.Size)
	}
	curve, err := findCurve(s.Curve)
	if err == nil && s.Size != 0 && s.Size != curve.Params().BitSize {
		return nil, refusal.New("Unsupported key size (%d) for curve %s.", s.Size, s.Curve)
	}
	return curve, err
}

func checkType(asked Type) error {
	switch asked {
	case RSA, EC:
		return nil
	case "":
		return refusal.New("Property 'kty' is required.")
	case "RSA-HSM", "EC-HSM", "oct", "oct-HSM":
		return &refusal.Error{Inner: "KeyTypeNotSupported", Message: fmt.Sprintf("Invalid kty value: %s. Keys of this type need a managed HSM.", asked)}
	}
	return &refusal.Error{Inner: "KeyTypeNotSupported", Message: fmt.Sprintf("Invalid kty value: %.64q", asked)}
}

func checkSize(bits int) error {
	if !slices.Contains(sizes, bits) {
		return refusal.New("Unsupported key size (%d). Supported sizes are [2048, 3072, 4096]", bits)
	}
	return nil
}

func findCurve(name string) (elliptic.Curve, error) {
	for _, curve := range curves {
		if curve.Params().Name == name {
			return curve, nil
		}
	}
	if name == "P-256K" {
		return nil, refusal.New("Unsupported curve: this vault does not have P-256K. Supported values are \"P-256\", \"P-384\", \"P-521\".")
	}
	return nil, refusal.New("Unsupported curve: %.64q. Supported values are \"P-256\", \"P-384\", \"P-521\".", name)
}
