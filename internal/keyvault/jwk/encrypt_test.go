package jwk

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// longest is what each algorithm takes at most with a key of 2,048 bits.
var longest = map[string]int{"RSA1_5": 245, "RSA-OAEP": 214, "RSA-OAEP-256": 190}

func TestKeysThatRFC7520Wraps(t *testing.T) {
	t.Parallel()
	for _, example := range readExamples(t).Wrapped {
		got, err := imported(t, example.Key).Decrypt(example.Alg, decode(t, example.Encrypted))
		if err != nil || !bytes.Equal(got, decode(t, example.Plain)) {
			t.Errorf("%s: got %x, error %v", example.Alg, got, err)
		}
	}
}

// What go-jose encrypts for a key, the key decrypts, and the other way round.
func TestEncryptionIsThatOfGoJose(t *testing.T) {
	t.Parallel()
	key := imported(t, "frodo")
	for algorithm := range longest {
		encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.KeyAlgorithm(algorithm), Key: key.Private().Public()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := encrypter.Encrypt([]byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		compact, err := theirs.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(compact, ".")
		wrapped, err := key.Decrypt(algorithm, decode(t, parts[1]))
		if err != nil || len(wrapped) != 32 {
			t.Errorf("%s: %d bytes, error %v", algorithm, len(wrapped), err)
			continue
		}
		again, err := key.Encrypt(algorithm, wrapped)
		if err != nil {
			t.Fatal(err)
		}
		parts[1] = Encode(again)
		ours, err := jose.ParseEncryptedCompact(strings.Join(parts, "."), []jose.KeyAlgorithm{jose.KeyAlgorithm(algorithm)}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatal(err)
		}
		if content, err := ours.Decrypt(key.Private()); err != nil || string(content) != "content" {
			t.Errorf("%s: go-jose has %q of ours, error %v", algorithm, content, err)
		}
	}
}

func TestLengthsThatAreEncrypted(t *testing.T) {
	t.Parallel()
	key := imported(t, "frodo")
	for algorithm, most := range longest {
		for _, length := range []int{0, 1, most} {
			plain := slices.Repeat([]byte{7}, length)
			encrypted, err := key.Encrypt(algorithm, plain)
			if err != nil || len(encrypted) != 256 {
				t.Errorf("%s of %d bytes: %d bytes, error %v", algorithm, length, len(encrypted), err)
				continue
			}
			if got, err := key.Decrypt(algorithm, encrypted); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s of %d bytes: %x, error %v", algorithm, length, got, err)
			}
		}
		_, err := key.Encrypt(algorithm, make([]byte, most+1))
		refused(t, algorithm, err, "takes at most")
	}
}

// However decryption fails, the error is the same.
func TestDecryptFailsInOneWay(t *testing.T) {
	t.Parallel()
	key := imported(t, "frodo")
	for algorithm := range longest {
		encrypted, err := key.Encrypt(algorithm, []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		flipped := slices.Clone(encrypted)
		flipped[100] ^= 1
		others := map[string][]byte{
			"nothing": nil, "one byte": {1}, "cut": encrypted[:255], "longer": append(slices.Clone(encrypted), 0), "huge": make([]byte, 1<<20),
			"changed": flipped, "zeros": make([]byte, 256), "one": append(make([]byte, 255), 1), "the modulus": key.rsa.N.Bytes(), "above the modulus": slices.Repeat([]byte{255}, 256),
		}
		for other := range longest {
			if other != algorithm {
				if others[other], err = key.Encrypt(other, []byte("plain")); err != nil {
					t.Fatal(err)
				}
			}
		}
		// What decrypts to blocks that are padded well up to some byte.
		for name, block := range map[string][]byte{
			"PKCS #1 1.5 without an end":     append([]byte{0, 2}, slices.Repeat([]byte{1}, 254)...),
			"PKCS #1 1.5 with short padding": append([]byte{0, 2, 1, 1, 0}, make([]byte, 251)...),
			"PKCS #1 1.5 of another kind":    append([]byte{0, 1}, append(slices.Repeat([]byte{255}, 253), 0)...),
			"OAEP of nothing":                append([]byte{0}, slices.Repeat([]byte{9}, 255)...),
		} {
			number := new(big.Int).Exp(new(big.Int).SetBytes(block), big.NewInt(int64(key.rsa.E)), key.rsa.N)
			others[name] = number.FillBytes(make([]byte, 256))
		}
		for name, other := range others {
			plain, err := key.Decrypt(algorithm, other)
			refused(t, algorithm+", "+name, err, "Unable to decrypt specified value with this key.")
			if plain != nil || err != nil && err.Error() != undecryptable().Error() {
				t.Errorf("%s, %s: got %x, error %v", algorithm, name, plain, err)
			}
		}
	}
}

// A text that lost the zero that it begins with is not taken: about every 256th has one.
func TestEncryptedIsAsLongAsTheModulus(t *testing.T) {
	t.Parallel()
	key := imported(t, "frodo")
	for range 10000 {
		encrypted, err := key.Encrypt("RSA-OAEP", []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		if encrypted[0] == 0 {
			_, err := key.Decrypt("RSA-OAEP", encrypted[1:])
			refused(t, "without its zero", err, "Unable to decrypt")
			return
		}
	}
	t.Error("no text that begins with a zero")
}

func TestAnotherKeyDoesNotDecrypt(t *testing.T) {
	t.Parallel()
	for algorithm := range longest {
		encrypted, err := imported(t, "frodo").Encrypt(algorithm, []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = imported(t, "rsa").Decrypt(algorithm, encrypted)
		refused(t, algorithm, err, "Unable to decrypt")
	}
}

func TestEncryptRefuses(t *testing.T) {
	t.Parallel()
	rsaKey, ecKey := imported(t, "frodo"), imported(t, "ec")
	secret := make([]byte, 300)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		key             *Key
		algorithm, part string
	}{
		"no algorithm":            {rsaKey, "", "'alg' is required"},
		"an HSM's":                {rsaKey, "A128GCM", `"A128GCM" is not supported`},
		"A256KW":                  {rsaKey, "A256KW", "is not supported"},
		"RSA-OAEP-512":            {rsaKey, "RSA-OAEP-512", "is not supported"},
		"in another case":         {rsaKey, "rsa-oaep", "is not supported"},
		"one that signs":          {rsaKey, "RS256", "is not supported"},
		"RSA-OAEP with an EC key": {ecKey, "RSA-OAEP", "Algorithm 'RSA-OAEP' requires a key of type 'RSA'"},
		"RSA1_5 with an EC key":   {ecKey, "RSA1_5", "requires a key of type 'RSA'"},
	} {
		_, err := test.key.Encrypt(test.algorithm, secret)
		refused(t, name, err, test.part)
		_, err = test.key.Decrypt(test.algorithm, secret)
		refused(t, name, err, test.part)
	}
}
