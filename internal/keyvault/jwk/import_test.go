package jwk

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// The keys of RFC 7520, and new ones in go-jose's JSON, are what go-jose reads.
func TestImport(t *testing.T) {
	t.Parallel()
	documents := map[string][]byte{}
	for name, document := range readExamples(t).Keys {
		documents[name] = document
	}
	for _, curve := range curves {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if documents[curve.Params().Name], err = json.Marshal(jose.JSONWebKey{Key: private}); err != nil {
			t.Fatal(err)
		}
	}
	for name, document := range documents {
		var asked Private
		if err := json.Unmarshal(document, &asked); err != nil {
			t.Fatal(err)
		}
		key, err := Import(&asked)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var want jose.JSONWebKey
		if err := want.UnmarshalJSON(document); err != nil {
			t.Fatal(err)
		}
		if !same(key, want.Key) {
			t.Errorf("%s: go-jose reads another key", name)
		}
		checkPublic(t, key)
	}
}

// What follows from the primes may be left out, and Java writes numbers with a sign.
func TestImportOfWhatClientsSend(t *testing.T) {
	t.Parallel()
	zero := func(t *testing.T, text string) string { return Encode(append([]byte{0}, decode(t, text)...)) }
	for name, test := range map[string]struct {
		key    string
		change func(t *testing.T, asked *Private)
	}{
		"without dp, dq, qi": {"rsa", func(_ *testing.T, asked *Private) { asked.DP, asked.DQ, asked.QI = "", "", "" }},
		"zeros before numbers": {"rsa", func(t *testing.T, asked *Private) {
			asked.N, asked.P, asked.DQ = zero(t, asked.N), zero(t, asked.P), zero(t, asked.DQ)
		}},
		"zeros before a point": {"ec", func(t *testing.T, asked *Private) { asked.X, asked.D = zero(t, asked.X), zero(t, asked.D) }},
		"no zeros before D": {"ec", func(t *testing.T, asked *Private) {
			asked.D = Encode(new(big.Int).SetBytes(decode(t, asked.D)).Bytes())
		}},
		"q before p": {"rsa", func(_ *testing.T, asked *Private) {
			asked.P, asked.Q, asked.DP, asked.DQ, asked.QI = asked.Q, asked.P, asked.DQ, asked.DP, ""
		}},
		"operations beside it":      {"ec", func(_ *testing.T, asked *Private) { asked.Operations = []Operation{"sign"} }},
		"an ID that it cannot have": {"ec", func(_ *testing.T, asked *Private) { asked.ID = "https://elsewhere" }},
	} {
		asked := private(t, test.key)
		test.change(t, asked)
		key, err := Import(asked)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !same(key, imported(t, test.key).Private()) {
			t.Errorf("%s: another key", name)
		}
	}
}

func TestImportRefusesRSA(t *testing.T) {
	t.Parallel()
	other := private(t, "frodo")
	for name, test := range map[string]struct {
		change func(asked *Private)
		part   string
	}{
		"no type":                     {func(asked *Private) { asked.Type = "" }, "'kty' is required"},
		"an HSM's type":               {func(asked *Private) { asked.Type = "RSA-HSM" }, "managed HSM"},
		"oct":                         {func(asked *Private) { asked.Type = "oct" }, "managed HSM"},
		"another type":                {func(asked *Private) { asked.Type = EC }, "'crv' is required"},
		"no n":                        {func(asked *Private) { asked.N = "" }, "'n' is required"},
		"no e":                        {func(asked *Private) { asked.E = "" }, "'e' is required"},
		"no d":                        {func(asked *Private) { asked.D = "" }, "'d' is required"},
		"no p":                        {func(asked *Private) { asked.P = "" }, "'p' is required"},
		"no q":                        {func(asked *Private) { asked.Q = "" }, "'q' is required"},
		"not base64url":               {func(asked *Private) { asked.D = "?" + asked.D }, "Content of 'd' is not base64url"},
		"dp not base64url":            {func(asked *Private) { asked.DP = "?" }, "Content of 'dp' is not base64url"},
		"a modulus without end":       {func(asked *Private) { asked.N = strings.Repeat("_", 1<<20) }, "'n' is longer"},
		"an exponent without end":     {func(asked *Private) { asked.E = strings.Repeat("_", 1<<20) }, "'e' is longer"},
		"a prime without end":         {func(asked *Private) { asked.P = strings.Repeat("_", 1<<20) }, "'p' is longer"},
		"dq without end":              {func(asked *Private) { asked.DQ = strings.Repeat("_", 1<<20) }, "'dq' is longer"},
		"a small modulus":             {func(asked *Private) { asked.N = asked.P }, "Unsupported key size (1024)"},
		"a large exponent":            {func(asked *Private) { asked.E = Encode([]byte{1, 0, 0, 0, 1}) }, "exponent"},
		"an even exponent":            {func(asked *Private) { asked.E = Encode([]byte{1, 0, 0}) }, "do not belong together"},
		"the exponent 1":              {func(asked *Private) { asked.E, asked.D = Encode([]byte{1}), Encode([]byte{1}) }, "do not belong together"},
		"another key's modulus":       {func(asked *Private) { asked.N = other.N }, "not the product"},
		"another key's prime":         {func(asked *Private) { asked.P = other.P }, "not the product"},
		"another key's d":             {func(asked *Private) { asked.D = other.D }, "do not belong together"},
		"another exponent":            {func(asked *Private) { asked.E = Encode([]byte{3}) }, "do not belong together"},
		"another key's dp":            {func(asked *Private) { asked.DP = other.DP }, "do not belong together"},
		"another key's dq":            {func(asked *Private) { asked.DQ = other.DQ }, "do not belong together"},
		"another key's qi":            {func(asked *Private) { asked.QI = other.QI }, "do not belong together"},
		"the modulus and 1 as primes": {func(asked *Private) { asked.P, asked.Q = asked.N, Encode([]byte{1}) }, "not the product"},
		"no numbers but zeros":        {func(asked *Private) { asked.P, asked.Q, asked.D = "AA", "AA", "AA" }, "not the product"},
		"primes that are not":         {notPrime(t), "not the product"},
	} {
		asked := private(t, "rsa")
		test.change(asked)
		_, err := Import(asked)
		refused(t, name, err, test.part)
		unquoted(t, name, err, asked)
	}
}

// carmichael is (6k+1)(12k+1)(18k+1) with three primes, in base 62: it is a number that Fermat's little theorem takes for a prime, and so does
// Go's validation of keys.
const carmichael = "M2PkzcZoDYOxPaBNxp2fF3oWnaOGBakyud1JuQ9tLhORC6aK2y7BZRgK4dtncRQ4qoEaQpNpgDV2S00CBf7hFRO0I3wtmilMH4atKoXgTKIMIDl0UCmL" +
	"XW98R8hwlijwCehU4UtfSe2SJhu1qiaTaPTXQJTZRycZZwAxALBXeufD"

// notPrime returns a change to a key whose first prime is none, though all its numbers fit each other.
func notPrime(t *testing.T) func(*Private) {
	t.Helper()
	p, ok := new(big.Int).SetString(carmichael, 62)
	if !ok {
		t.Fatal("the number is malformed")
	}
	e, one := big.NewInt(65537), big.NewInt(1)
	for {
		q, err := rand.Prime(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		d := new(big.Int).ModInverse(e, new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)))
		n := new(big.Int).Mul(p, q)
		if d == nil || n.BitLen() != 2048 {
			continue
		}
		return func(asked *Private) {
			asked.N, asked.P, asked.Q, asked.D = Encode(n.Bytes()), Encode(p.Bytes()), Encode(q.Bytes()), Encode(d.Bytes())
			asked.DP, asked.DQ, asked.QI = "", "", ""
		}
	}
}

func TestImportRefusesEC(t *testing.T) {
	t.Parallel()
	order := func(delta int64) string {
		return Encode(new(big.Int).Add(curves[2].Params().N, big.NewInt(delta)).Bytes())
	}
	for name, test := range map[string]struct {
		change func(asked *Private)
		part   string
	}{
		"an HSM's type":         {func(asked *Private) { asked.Type = "EC-HSM" }, "managed HSM"},
		"no curve":              {func(asked *Private) { asked.Curve = "" }, "'crv' is required"},
		"P-256K":                {func(asked *Private) { asked.Curve = "P-256K" }, "does not have P-256K"},
		"an unknown curve":      {func(asked *Private) { asked.Curve = "P-224" }, "Unsupported curve"},
		"no x":                  {func(asked *Private) { asked.X = "" }, "'x' is required"},
		"no y":                  {func(asked *Private) { asked.Y = "" }, "'y' is required"},
		"no d":                  {func(asked *Private) { asked.D = "" }, "'d' is required"},
		"not base64url":         {func(asked *Private) { asked.Y = "?" + asked.Y }, "Content of 'y' is not base64url"},
		"without end":           {func(asked *Private) { asked.X = strings.Repeat("_", 1<<20) }, "'x' is longer"},
		"longer than the curve": {func(asked *Private) { asked.X = Encode(slices.Repeat([]byte{1}, 67)) }, "'x' is longer than 66 bytes"},
		"another curve":         {func(asked *Private) { asked.Curve, asked.X, asked.Y = "P-384", "AQ", "AQ" }, "'d' is longer than 48 bytes"},
		"not on the curve":      {func(asked *Private) { asked.X = "AQ" }, "not on the curve P-521"},
		"x and y exchanged":     {func(asked *Private) { asked.X, asked.Y = asked.Y, asked.X }, "not on the curve"},
		"the point of zeros":    {func(asked *Private) { asked.X, asked.Y = "AA", "AA" }, "not on the curve"},
		"another d":             {func(asked *Private) { asked.D = "AQ" }, "do not belong together"},
		"d is zero":             {func(asked *Private) { asked.D = "AA" }, "do not belong together"},
		"d is the order":        {func(asked *Private) { asked.D = order(0) }, "do not belong together"},
		"d is above the order":  {func(asked *Private) { asked.D = order(1) }, "do not belong together"},
	} {
		asked := private(t, "ec")
		test.change(asked)
		_, err := Import(asked)
		refused(t, name, err, test.part)
		unquoted(t, name, err, asked)
	}
}

// unquoted reports an error that has something of a key.
func unquoted(t *testing.T, name string, err error, asked *Private) {
	t.Helper()
	for _, secret := range []string{asked.D, asked.P, asked.Q, asked.DP, asked.DQ, asked.QI} {
		if len(secret) > 8 && strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: the error has key material: %v", name, err)
		}
	}
}

// Whatever somebody imports, it is refused, or it is a key that signs what it verifies.
func FuzzImport(f *testing.F) {
	keys := readExamples(f).Keys
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		f.Add([]byte(keys[name]))
	}
	f.Add([]byte(`{"kty":"RSA","n":"AQ","e":"AQ","d":"AQ","p":"AQ","q":"AQ"}`))
	f.Add([]byte(`{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ","d":"AQ"}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		var asked Private
		if json.Unmarshal(document, &asked) != nil {
			return
		}
		key, err := Import(&asked)
		if err != nil {
			if _, ok := errors.AsType[*refusal.Error](err); !ok {
				t.Errorf("error = %v", err)
			}
			return
		}
		algorithm, digest := "PS256", make([]byte, 32)
		if key.Type() == EC {
			size := map[string]int{"P-256": 32, "P-384": 48, "P-521": 64}[key.Spec().Curve]
			algorithm, digest = map[int]string{32: "ES256", 48: "ES384", 64: "ES512"}[size], make([]byte, size)
		}
		signed, err := key.Sign(algorithm, digest)
		if err != nil {
			t.Fatal(err)
		}
		if valid, err := key.Verify(algorithm, digest, signed); !valid || err != nil {
			t.Errorf("its signature is not valid: error %v", err)
		}
	})
}
