package jwk

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Private is a key with its private part in JSON, as requests to import one have it.
type Private struct {
	Public

	// D is the private exponent of an RSA key, or the secret number of an EC key.
	D string `json:"d"`

	// The rest is of RSA keys: its primes, and what follows from them.
	P  string `json:"p"`
	Q  string `json:"q"`
	DP string `json:"dp"`
	DQ string `json:"dq"`
	QI string `json:"qi"`
}

const (
	// maxNumber bounds a number of a key, in bytes: 4,096 bits, and the zero that Java puts before numbers.
	maxNumber = 4096/8 + 1

	// primeRounds is how often a prime is tested.
	primeRounds = 20
)

// Import returns the key, if its numbers belong together.
func Import(private *Private) (*Key, error) {
	if err := checkType(private.Type); err != nil {
		return nil, err
	}
	if private.Type == RSA {
		return importRSA(private)
	}
	return importEC(private)
}

func importRSA(private *Private) (*Key, error) {
	var n, e, d, p, q big.Int
	for _, number := range []struct {
		property, text string
		into           *big.Int
	}{
		{"n", private.N, &n}, {"e", private.E, &e}, {"d", private.D, &d}, {"p", private.P, &p}, {"q", private.Q, &q},
	} {
		content, err := Decode(number.property, number.text, maxNumber)
		if err != nil {
			return nil, err
		}
		number.into.SetBytes(content)
	}
	// Before anything that takes long.
	if err := checkSize(n.BitLen()); err != nil {
		return nil, err
	}
	if e.BitLen() > 31 {
		return nil, refusal.New("The public exponent of the RSA key is too large.")
	}
	if p.BitLen() != n.BitLen()/2 || q.BitLen() != n.BitLen()/2 || new(big.Int).Mul(&p, &q).Cmp(&n) != 0 {
		return nil, refusal.New("The modulus of the RSA key is not the product of two primes of half its length.")
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: &n, E: int(e.Int64())}, D: &d, Primes: []*big.Int{&p, &q}}
	key.Precompute()
	if key.Validate() != nil {
		return nil, refusal.New("The numbers of the RSA key do not belong together.")
	}
	// Go's validation does not ask whether they are primes.
	if !p.ProbablyPrime(primeRounds) || !q.ProbablyPrime(primeRounds) {
		return nil, refusal.New("The modulus of the RSA key is not the product of two primes of half its length.")
	}
	if err := private.checkDerived(key); err != nil {
		return nil, err
	}
	return New(key)
}

// checkDerived checks those of the numbers that follow from the primes that are there.
func (p *Private) checkDerived(key *rsa.PrivateKey) error {
	for _, number := range []struct {
		property, text string
		want           *big.Int
	}{
		{"dp", p.DP, key.Precomputed.Dp}, {"dq", p.DQ, key.Precomputed.Dq}, {"qi", p.QI, key.Precomputed.Qinv},
	} {
		if number.text == "" {
			continue
		}
		content, err := Decode(number.property, number.text, maxNumber)
		if err != nil {
			return err
		}
		if new(big.Int).SetBytes(content).Cmp(number.want) != 0 {
			return refusal.New("The numbers of the RSA key do not belong together.")
		}
	}
	return nil
}

func importEC(private *Private) (*Key, error) {
	if private.Curve == "" {
		return nil, refusal.New("Property 'crv' is required.")
	}
	curve, err := findCurve(private.Curve)
	if err != nil {
		return nil, err
	}
	length := (curve.Params().BitSize + 7) / 8
	x, err := coordinate("x", private.X, length)
	if err != nil {
		return nil, err
	}
	y, err := coordinate("y", private.Y, length)
	if err != nil {
		return nil, err
	}
	d, err := coordinate("d", private.D, length)
	if err != nil {
		return nil, err
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, bytes.Join([][]byte{{4}, x, y}, nil))
	if err != nil {
		return nil, refusal.New("The point of the EC key is not on the curve %s.", private.Curve)
	}
	key, err := ecdsa.ParseRawPrivateKey(curve, d)
	if err != nil || !key.PublicKey.Equal(public) {
		return nil, refusal.New("The numbers of the EC key do not belong together.")
	}
	return New(key)
}

// coordinate returns a number of an EC key at its length. Java puts a zero before numbers, and leaves those out that they begin with.
func coordinate(property, text string, length int) ([]byte, error) {
	content, err := Decode(property, text, maxNumber)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimLeft(content, "\x00")
	if len(content) > length {
		return nil, refusal.New("Content of '%s' is longer than %d bytes.", property, length)
	}
	return append(make([]byte, length-len(content)), content...), nil
}
