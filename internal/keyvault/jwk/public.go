package jwk

import (
	"math/big"
)

// Public is the public part of a key in JSON, as Key Vault's answers have it. What is no part of the key, the caller of Public adds.
type Public struct {
	ID         string      `json:"kid,omitempty"`
	Type       Type        `json:"kty"`
	Operations []Operation `json:"key_ops,omitzero"`

	// N and E are the modulus and the exponent of an RSA key.
	N string `json:"n,omitempty"`
	E string `json:"e,omitempty"`

	// X and Y are the coordinates of an EC key, as long as its curve's.
	Curve string `json:"crv,omitempty"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
}

// Public returns the public part of the key.
func (k *Key) Public() (Public, error) {
	if k.rsa != nil {
		exponent := big.NewInt(int64(k.rsa.E))
		return Public{Type: RSA, N: Encode(k.rsa.N.Bytes()), E: Encode(exponent.Bytes())}, nil
	}
	point, err := k.ec.PublicKey.Bytes()
	if err != nil {
		return Public{}, err
	}
	// An uncompressed point is a 4 and both coordinates.
	coordinates := point[1:]
	half := len(coordinates) / 2
	return Public{Type: EC, Curve: k.ec.Params().Name, X: Encode(coordinates[:half]), Y: Encode(coordinates[half:])}, nil
}

// Spec returns what Generate makes a key of the same kind from.
func (p *Public) Spec() (Spec, error) {
	if p.Type == EC {
		return Spec{Type: EC, Curve: p.Curve}, nil
	}
	modulus, err := Decode("n", p.N, maxStored)
	return Spec{Type: p.Type, Size: 8 * len(modulus)}, err
}
