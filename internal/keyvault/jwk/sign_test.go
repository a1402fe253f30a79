package jwk

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// fitting is a key for each algorithm.
func fitting(t testing.TB) map[string]*Key {
	t.Helper()
	key := imported(t, "rsa")
	return map[string]*Key{
		"RS256": key, "RS384": key, "RS512": key, "PS256": key, "PS384": key, "PS512": key,
		"ES256": generated(t, Spec{Type: EC, Curve: "P-256"}), "ES384": generated(t, Spec{Type: EC, Curve: "P-384"}), "ES512": imported(t, "ec"),
	}
}

// digestOf hashes as the algorithm does.
func digestOf(algorithm, content string) []byte {
	hash := signatures[algorithm].hash.New()
	hash.Write([]byte(content))
	return hash.Sum(nil)
}

// The signatures of RFC 7520 are valid, and those of RSA that have no salt are made the same.
func TestSignaturesOfRFC7520(t *testing.T) {
	t.Parallel()
	for _, example := range readExamples(t).Signatures {
		key, digest, signature := imported(t, example.Key), digestOf(example.Alg, example.Signed), decode(t, example.Signature)
		if valid, err := key.Verify(example.Alg, digest, signature); !valid || err != nil {
			t.Errorf("%s: valid %v, error %v", example.Alg, valid, err)
		}
		made, err := key.Sign(example.Alg, digest)
		if err != nil {
			t.Fatal(err)
		}
		if same := bytes.Equal(made, signature); same != (example.Alg == "RS256") {
			t.Errorf("%s: the same signature again is %v", example.Alg, same)
		}
	}
}

// What one implementation signs, the other one verifies.
func TestSignaturesAreThoseOfGoJose(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"ALG"}`
	for algorithm, key := range fitting(t) {
		input := Encode([]byte(strings.Replace(header, "ALG", algorithm, 1))) + "." + Encode([]byte("payload"))
		signature, err := key.Sign(algorithm, digestOf(algorithm, input))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		ours, err := jose.ParseSignedCompact(input+"."+Encode(signature), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ours.Verify(key.Private().Public()); err != nil {
			t.Errorf("%s: go-jose does not verify ours: %v", algorithm, err)
		}

		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(algorithm), Key: key.Private()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := signer.Sign([]byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		compact, err := theirs.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		end := strings.LastIndexByte(compact, '.')
		if valid, err := key.Verify(algorithm, digestOf(algorithm, compact[:end]), decode(t, compact[end+1:])); !valid || err != nil {
			t.Errorf("%s: go-jose's is valid %v, error %v", algorithm, valid, err)
		}
	}
}

func TestWhatIsNotTheSignature(t *testing.T) {
	t.Parallel()
	keys := fitting(t)
	for algorithm, key := range keys {
		digest := digestOf(algorithm, "signed")
		signed, err := key.Sign(algorithm, digest)
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(signed)
		flipped[len(flipped)-1] ^= 1
		half := len(signed) / 2
		for name, signature := range map[string][]byte{
			"nothing": nil, "changed": flipped, "cut": signed[:len(signed)-1], "longer": append(slices.Clone(signed), 0), "half": signed[:half],
			"zeros": make([]byte, len(signed)), "ones": slices.Repeat([]byte{255}, len(signed)),
			"halves exchanged": append(slices.Clone(signed[half:]), signed[:half]...),
		} {
			if valid, err := key.Verify(algorithm, digest, signature); valid || err != nil {
				t.Errorf("%s, %s: valid %v, error %v", algorithm, name, valid, err)
			}
		}
		if valid, err := key.Verify(algorithm, digestOf(algorithm, "another"), signed); valid || err != nil {
			t.Errorf("%s of another digest: valid %v, error %v", algorithm, valid, err)
		}
		for other := range keys {
			if valid, _ := key.Verify(other, digestOf(other, "signed"), signed); valid != (other == algorithm) {
				t.Errorf("%s as %s: valid %v", algorithm, other, valid)
			}
		}
	}
}

// The salt of a PS signature is as long as its hash, in those that are made and in those that are valid.
func TestSaltIsAsLongAsTheHash(t *testing.T) {
	t.Parallel()
	key := imported(t, "rsa")
	digest := digestOf("PS256", "signed")
	signed, err := key.Sign("PS256", digest)
	if err != nil {
		t.Fatal(err)
	}
	hash := signatures["PS256"].hash
	if err := rsa.VerifyPSS(&key.rsa.PublicKey, hash, digest, signed, &rsa.PSSOptions{SaltLength: 32}); err != nil {
		t.Error(err)
	}
	long, err := rsa.SignPSS(rand.Reader, key.rsa, hash, digest, &rsa.PSSOptions{SaltLength: 64})
	if err != nil {
		t.Fatal(err)
	}
	if valid, err := key.Verify("PS256", digest, long); valid || err != nil {
		t.Errorf("a longer salt: valid %v, error %v", valid, err)
	}
}

// Numbers of a signature that begin with zeros keep them: about every 128th signature has one.
func TestSignaturesAreAsLongAsTheCurve(t *testing.T) {
	t.Parallel()
	key := generated(t, Spec{Type: EC})
	digest := digestOf("ES256", "signed")
	var short [2]bool
	for range 10000 {
		signed, err := key.Sign("ES256", digest)
		if err != nil {
			t.Fatal(err)
		}
		valid, err := key.Verify("ES256", digest, signed)
		if len(signed) != 64 || !valid || err != nil {
			t.Fatalf("%d bytes, valid %v, error %v", len(signed), valid, err)
		}
		if short[0], short[1] = short[0] || signed[0] == 0, short[1] || signed[32] == 0; short[0] && short[1] {
			return
		}
	}
	t.Error("no signature with a short number")
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	rsaKey, ecKey := imported(t, "rsa"), generated(t, Spec{Type: EC, Curve: "P-384"})
	for name, test := range map[string]struct {
		key       *Key
		algorithm string
		length    int
		part      string
	}{
		"no algorithm":               {rsaKey, "", 32, "'alg' is required"},
		"HS256":                      {rsaKey, "HS256", 32, `"HS256" is not supported`},
		"none":                       {rsaKey, "none", 0, "is not supported"},
		"RSNULL":                     {rsaKey, "RSNULL", 32, "is not supported"},
		"ES256K":                     {ecKey, "ES256K", 32, "is not supported"},
		"an algorithm that encrypts": {rsaKey, "RSA-OAEP", 32, "is not supported"},
		"a long algorithm":           {rsaKey, strings.Repeat("x", 1000), 32, `"` + strings.Repeat("x", 64) + `"`},
		"ES256 with RSA":             {rsaKey, "ES256", 32, "Algorithm 'ES256' requires a key of type 'EC'"},
		"RS256 with EC":              {ecKey, "RS256", 32, "Algorithm 'RS256' requires a key of type 'RSA'"},
		"PS512 with EC":              {ecKey, "PS512", 64, "Algorithm 'PS512' requires a key of type 'RSA'"},
		"ES256 on P-384":             {ecKey, "ES256", 32, "The key uses curve 'P-384', and algorithm 'ES256' can only be used with curve 'P-256'."},
		"ES512 on P-384":             {ecKey, "ES512", 64, "can only be used with curve 'P-521'"},
		"no digest":                  {rsaKey, "RS256", 0, ": 0 bytes. RS256 requires 32 bytes, encoded with base64url."},
		"SHA-1":                      {rsaKey, "RS256", 20, ": 20 bytes. RS256 requires 32 bytes"},
		"SHA-256 for PS384":          {rsaKey, "PS384", 32, "PS384 requires 48 bytes"},
		"SHA-512 for ES384":          {ecKey, "ES384", 64, "ES384 requires 48 bytes"},
	} {
		_, err := test.key.Sign(test.algorithm, make([]byte, test.length))
		refused(t, name, err, test.part)
		_, err = test.key.Verify(test.algorithm, make([]byte, test.length), make([]byte, 96))
		refused(t, name, err, test.part)
	}
	_, err := rsaKey.Sign("RS256", nil)
	refused(t, "sign", err, "length of 'value'")
	_, err = rsaKey.Verify("RS256", nil, nil)
	refused(t, "verify", err, "length of 'digest'")
}
