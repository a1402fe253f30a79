package certificate

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

// forever is a number of iterations that does not end.
const forever = 1 << 62

// No iterations are done before all are known: a test of a number that is not looked at does not end.
func TestIterationsAreBounded(t *testing.T) {
	t.Parallel()
	visible := keyPart(t)
	mac := func(iterations int) macData {
		mac := macData{Salt: make([]byte, 8), Iterations: iterations}
		mac.Digest.Algorithm.Algorithm, mac.Digest.Digest = oidSHA1, make([]byte, 20)
		return mac
	}
	pbmac1 := func(kdf kdfParameters) macData {
		mac := mac(1)
		kdf.Salt = asn1.RawValue{Tag: asn1.TagOctetString, Bytes: make([]byte, 8)}
		scheme := schemeParameters{KDF: algorithm(t, oidPBKDF2, kdf), Scheme: pkix.AlgorithmIdentifier{Algorithm: hmacs[1]}}
		mac.Digest.Algorithm = algorithm(t, oidPBMAC1, scheme)
		return mac
	}
	unknown := mac(1)
	unknown.Digest.Algorithm.Algorithm = oidData
	other := pkix.AlgorithmIdentifier{Algorithm: oidData}
	for what, one := range map[string]struct {
		mac   macData
		parts []asn1.RawValue
		want  Reason
	}{
		"MAC":                      {mac(forever), []asn1.RawValue{visible}, TooLarge},
		"MAC by no iteration":      {mac(-1), []asn1.RawValue{visible}, TooLarge},
		"PBMAC1":                   {pbmac1(kdfParameters{Iterations: forever, KeyLength: 32}), []asn1.RawValue{visible}, TooLarge},
		"PBMAC1 with a short key":  {pbmac1(kdfParameters{Iterations: 1, KeyLength: 19}), []asn1.RawValue{visible}, Malformed},
		"PBMAC1 with a long key":   {pbmac1(kdfParameters{Iterations: 1, KeyLength: 65}), []asn1.RawValue{visible}, Malformed},
		"unknown MAC":              {unknown, []asn1.RawValue{visible}, Malformed},
		"key":                      {mac(1), []asn1.RawValue{part(t, encryptedBag(t, pbe(t, forever)))}, TooLarge},
		"key by PBES2":             {mac(1), []asn1.RawValue{part(t, encryptedBag(t, pbes2(t, forever)))}, TooLarge},
		"key by scrypt":            {mac(1), []asn1.RawValue{part(t, encryptedBag(t, algorithm(t, oidPBES2, schemeParameters{KDF: other, Scheme: other})))}, Malformed},
		"certificates":             {mac(1), []asn1.RawValue{encryptedPart(t, pbe(t, forever), nil), visible}, TooLarge},
		"certificates by PBES2":    {mac(1), []asn1.RawValue{visible, encryptedPart(t, pbes2(t, forever), nil)}, TooLarge},
		"two keys":                 {mac(1), []asn1.RawValue{visible, visible}, Malformed},
		"a large key":              {mac(1), []asn1.RawValue{part(t, safeBag{Type: oidKeyBag, Value: explicit(make([]byte, maxKey+1))})}, TooLarge},
		"a part of another type":   {mac(1), []asn1.RawValue{{FullBytes: marshal(t, contentInfo{oidPBES2, explicit(nil)})}}, Malformed},
		"a part that is not a bag": {mac(1), []asn1.RawValue{{FullBytes: marshal(t, contentInfo{oidData, explicit(marshal(t, []byte("a")))})}}, Malformed},
	} {
		safe := marshal(t, marshal(t, one.parts))
		content := marshal(t, pfxContent{Version: 3, AuthSafe: contentInfo{oidData, explicit(safe)}, MAC: one.mac})
		if _, err := FromPFX(content, "secret"); !isRefused(err, one.want) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	content := marshal(t, pfxContent{Version: 2, AuthSafe: contentInfo{oidData, explicit(marshal(t, marshal(t, []asn1.RawValue{visible})))}, MAC: mac(1)})
	if _, err := FromPFX(content, "secret"); !isRefused(err, Malformed) {
		t.Errorf("another version: got %v", err)
	}
}

// A key that is hidden in an encrypted part can have any number of iterations. It is never decrypted, wherever it is.
func TestHiddenKeyIsNotDecrypted(t *testing.T) {
	t.Parallel()
	bags := marshal(t, []safeBag{encryptedBag(t, pbe(t, forever))})
	hidden := encryptedPart(t, pbes2(t, 1), encrypt(t, bags, "secret"))
	visible := keyPart(t)
	for what, one := range map[string]struct {
		parts []asn1.RawValue
		want  Reason
	}{
		"first": {[]asn1.RawValue{hidden, visible}, Malformed},
		"last":  {[]asn1.RawValue{visible, hidden}, Malformed},
		"alone": {[]asn1.RawValue{hidden}, NoKey},
	} {
		content, err := (&pfx{parts: one.parts}).sealed(encodings("secret")[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromPFX(content, "secret"); !isRefused(err, one.want) {
			t.Errorf("%s: got %v", what, err)
		}
	}

	// It is the key in it for which such a file is refused, not the part.
	harmless := encryptedPart(t, pbes2(t, 1), encrypt(t, marshal(t, []safeBag{certificateBag(t)}), "secret"))
	content, err := (&pfx{parts: []asn1.RawValue{harmless, visible}}).sealed(encodings("secret")[0])
	if err != nil {
		t.Fatal(err)
	}
	if pair, err := FromPFX(content, "secret"); err != nil || len(pair.Chain) != 2 {
		t.Errorf("got %v, error %v", pair, err)
	}
}

// Windows takes an empty password for nothing at all, where others have a zero at its end.
func TestEmptyPasswords(t *testing.T) {
	t.Parallel()
	for _, password := range [][]byte{{0, 0}, nil} {
		content, err := (&pfx{parts: []asn1.RawValue{keyPart(t)}}).sealed(password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromPFX(content, ""); err != nil {
			t.Errorf("%x: %v", password, err)
		}
		if _, err := FromPFX(content, "a"); !isRefused(err, WrongPassword) {
			t.Errorf("%x: got %v", password, err)
		}
	}
}

// The password is part of the key, too.
func TestEmptyPasswordOfEncryption(t *testing.T) {
	t.Parallel()
	pair, err := FromPEM(read(t, "ec-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, password := range [][]byte{{0, 0}, nil} {
		// RFC 7292 appendix B.2 with one iteration and 8 zeros as salt.
		derive := func(purpose byte) []byte {
			diversifier := slices.Repeat([]byte{purpose}, 64)
			block := make([]byte, 64+len(password)*32)
			first := sha1.Sum(append(slices.Clone(diversifier), block...))
			for i := range block {
				block[i] = first[i%64%len(first)]
			}
			for i := 63; i < len(block); i += 64 {
				block[i]++
			}
			second := sha1.Sum(append(diversifier, block...))
			return append(first[:], second[:]...)
		}
		cipherBlock, err := des.NewTripleDESCipher(derive(1)[:24])
		if err != nil {
			t.Fatal(err)
		}
		padded := pad(mustMarshal(t, pair.Key), des.BlockSize)
		cipher.NewCBCEncrypter(cipherBlock, derive(2)[:des.BlockSize]).CryptBlocks(padded, padded)
		bag := safeBag{Type: oidEncryptedBag, Value: explicit(marshal(t, encryptedKey{pbe(t, 1), padded}))}
		content, err := (&pfx{parts: []asn1.RawValue{part(t, bag, certificateBag(t))}}).sealed(password)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := FromPFX(content, ""); err != nil {
			t.Errorf("%x: %v", password, err)
		}
	}
}

// go-pkcs12 checks what is sealed again, for passwords of every length.
func TestSealedIsOpened(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"", "a", "öäü", "a password that is longer than one block", "a password of just a block long"} {
		content, err := (&pfx{parts: []asn1.RawValue{keyPart(t)}}).sealed(encodings(password)[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := pkcs12.DecodeChain(content, password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}

// keyPart returns a part with a key and its certificate, which is not encrypted.
func keyPart(t *testing.T) asn1.RawValue {
	t.Helper()
	pair, err := FromPEM(read(t, "ec-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return part(t, safeBag{Type: oidKeyBag, Value: explicit(mustMarshal(t, pair.Key))}, certificateBag(t))
}

func certificateBag(t *testing.T) safeBag {
	t.Helper()
	pair, err := FromPEM(read(t, "ec-pkcs8.pem"))
	if err != nil {
		t.Fatal(err)
	}
	content := struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"tag:0,explicit"`
	}{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}, pair.Leaf().Raw}
	return safeBag{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}, Value: explicit(marshal(t, content))}
}

func encryptedBag(t *testing.T, by pkix.AlgorithmIdentifier) safeBag {
	t.Helper()
	return safeBag{Type: oidEncryptedBag, Value: explicit(marshal(t, encryptedKey{by, make([]byte, 16)}))}
}

// part returns a part of a PFX that is not encrypted.
func part(t *testing.T, bags ...safeBag) asn1.RawValue {
	t.Helper()
	return asn1.RawValue{FullBytes: marshal(t, contentInfo{oidData, explicit(marshal(t, marshal(t, bags)))})}
}

func encryptedPart(t *testing.T, by pkix.AlgorithmIdentifier, content []byte) asn1.RawValue {
	t.Helper()
	var data encryptedData
	data.Content.Type, data.Content.Algorithm, data.Content.Encrypted = oidData, by, content
	return asn1.RawValue{FullBytes: marshal(t, contentInfo{oidEncrypted, explicit(marshal(t, data))})}
}

func algorithm(t *testing.T, oid asn1.ObjectIdentifier, parameters any) pkix.AlgorithmIdentifier {
	t.Helper()
	return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: marshal(t, parameters)}}
}

// pbe is 3DES with PKCS #12's own derivation of keys.
func pbe(t *testing.T, iterations int) pkix.AlgorithmIdentifier {
	t.Helper()
	return algorithm(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, pbeParameters{make([]byte, 8), iterations})
}

// pbes2 is AES-128 with PBKDF2, HMAC-SHA-1, and a salt and an initialization vector of zeros.
func pbes2(t *testing.T, iterations int) pkix.AlgorithmIdentifier {
	t.Helper()
	kdf := kdfParameters{Salt: asn1.RawValue{Tag: asn1.TagOctetString, Bytes: make([]byte, 8)}, Iterations: iterations}
	aes128 := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	return algorithm(t, oidPBES2, schemeParameters{KDF: algorithm(t, oidPBKDF2, kdf), Scheme: algorithm(t, aes128, make([]byte, aes.BlockSize))})
}

// encrypt encrypts with pbes2 of one iteration.
func encrypt(t *testing.T, content []byte, password string) []byte {
	t.Helper()
	key, err := pbkdf2.Key(sha1.New, password, make([]byte, 8), 1, 16)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	padded := pad(content, aes.BlockSize)
	cipher.NewCBCEncrypter(block, make([]byte, aes.BlockSize)).CryptBlocks(padded, padded)
	return padded
}

func pad(content []byte, size int) []byte {
	padding := size - len(content)%size
	return append(slices.Clone(content), slices.Repeat([]byte{byte(padding)}, padding)...)
}

func explicit(content []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: content}
}

func marshal(t *testing.T, value any) []byte {
	t.Helper()
	content, err := asn1.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
