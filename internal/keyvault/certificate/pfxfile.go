package certificate

import (
	"crypto/hmac"
	"crypto/sha1" // PKCS #12's MAC, see sealed
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
)

// maxIterations bounds each derivation of a key from a password. Java's and OpenSSL's defaults are below, and four of them take seconds at most.
const maxIterations = 600_000

// pfx is a PKCS #12 file of which everything that costs is bounded.
//
// The iterations with which a key is encrypted can only be seen if the part that the key is in is not encrypted as a whole. Programs write
// it so, because the key is encrypted by itself. But whoever wants the server to compute for years hides a second key in an encrypted part.
// go-pkcs12 reads the parts in their order and stops at a second key before it decrypts that, so the part with the visible key comes first.
type pfx struct {
	// parts are those of the file in DER, the one with the visible key first.
	parts  []asn1.RawValue
	hasMAC bool
}

// These are the structures of RFC 7292, as far as they are read here.
type (
	pfxContent struct {
		Version  int
		AuthSafe contentInfo
		MAC      macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Digest struct {
			Algorithm pkix.AlgorithmIdentifier
			Digest    []byte
		}
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	encryptedData struct {
		Version int
		Content struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Encrypted []byte `asn1:"tag:0,optional"`
		}
	}
	safeBag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue   `asn1:"tag:0,explicit"`
		Attributes []asn1.RawValue `asn1:"set,optional"`
	}
	encryptedKey struct {
		Algorithm pkix.AlgorithmIdentifier
		Encrypted []byte
	}
)

// These are the parameters of password-based algorithms (RFC 8018).
type (
	schemeParameters struct {
		KDF    pkix.AlgorithmIdentifier
		Scheme pkix.AlgorithmIdentifier
	}
	kdfParameters struct {
		Salt       asn1.RawValue
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	pbeParameters struct {
		Salt       []byte
		Iterations int
	}
)

var (
	oidData         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncrypted    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidEncryptedBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidPBKDF2       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidPBES2        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBMAC1       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidSHA1         = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}

	// digests are those of a MAC, and hmacs those of PBMAC1 and PBKDF2, that go-pkcs12 knows.
	digests = []asn1.ObjectIdentifier{oidSHA1, {2, 16, 840, 1, 101, 3, 4, 2, 1}, {2, 16, 840, 1, 101, 3, 4, 2, 3}}
	hmacs   = []asn1.ObjectIdentifier{{1, 2, 840, 113549, 2, 7}, {1, 2, 840, 113549, 2, 9}, {1, 2, 840, 113549, 2, 11}}
)

// openPFX reads a file without decrypting anything.
func openPFX(content []byte) (*pfx, error) {
	var outer pfxContent
	var safe []byte
	var parts []asn1.RawValue
	if !decode(content, &outer) || outer.Version != 3 || !outer.AuthSafe.Type.Equal(oidData) || !decode(outer.AuthSafe.Content.Bytes, &safe) || !decode(safe, &parts) {
		return nil, unreadable()
	}
	file := &pfx{hasMAC: len(outer.MAC.Digest.Algorithm.Algorithm) > 0}
	if file.hasMAC {
		if err := outer.MAC.check(); err != nil {
			return nil, err
		}
	}
	keys := 0
	for _, part := range parts {
		found, err := checkPart(part)
		if err != nil {
			return nil, err
		}
		if found > 0 {
			file.parts = slices.Insert(file.parts, 0, part)
		} else {
			file.parts = append(file.parts, part)
		}
		keys += found
	}
	switch {
	case keys == 0:
		return nil, refuse(NoKey, "The specified PKCS #12 content has no private key outside of what is encrypted as a whole.")
	case keys > 1:
		return nil, refuse(Malformed, "The specified PKCS #12 content has more than one private key.")
	}
	return file, nil
}

// decode reads DER that has nothing behind it.
func decode(content []byte, value any) bool {
	rest, err := asn1.Unmarshal(content, value)
	return err == nil && len(rest) == 0
}

// checkPart bounds a part, and returns how many keys are visible in it.
func checkPart(part asn1.RawValue) (keys int, err error) {
	var info contentInfo
	if !decode(part.FullBytes, &info) {
		return 0, unreadable()
	}
	switch {
	case info.Type.Equal(oidEncrypted):
		var encrypted encryptedData
		if !decode(info.Content.Bytes, &encrypted) {
			return 0, unreadable()
		}
		return 0, checkAlgorithm(encrypted.Content.Algorithm)
	case info.Type.Equal(oidData):
		var content []byte
		var bags []safeBag
		if !decode(info.Content.Bytes, &content) || !decode(content, &bags) {
			return 0, unreadable()
		}
		return checkBags(bags)
	}
	return 0, unreadable()
}

func checkBags(bags []safeBag) (keys int, err error) {
	for _, bag := range bags {
		encrypted := bag.Type.Equal(oidEncryptedBag)
		if !encrypted && !bag.Type.Equal(oidKeyBag) {
			continue
		}
		keys++
		if len(bag.Value.Bytes) > maxKey {
			return 0, refuse(TooLarge, "The private key is larger than %d bytes.", maxKey)
		}
		if !encrypted {
			continue
		}
		var key encryptedKey
		if !decode(bag.Value.Bytes, &key) {
			return 0, unreadable()
		}
		if err := checkAlgorithm(key.Algorithm); err != nil {
			return 0, err
		}
	}
	return keys, nil
}

// checkAlgorithm bounds the iterations of an encryption.
func checkAlgorithm(algorithm pkix.AlgorithmIdentifier) error {
	if !algorithm.Algorithm.Equal(oidPBES2) {
		var parameters pbeParameters
		if !decode(algorithm.Parameters.FullBytes, &parameters) {
			return unreadable()
		}
		return checkIterations(parameters.Iterations)
	}
	var scheme schemeParameters
	var kdf kdfParameters
	if !decode(algorithm.Parameters.FullBytes, &scheme) || !decode(scheme.KDF.Parameters.FullBytes, &kdf) {
		return unreadable()
	}
	return checkIterations(kdf.Iterations)
}

func checkIterations(count int) error {
	if count < 1 || count > maxIterations {
		return refuse(TooLarge, "The specified PKCS #12 content must be encrypted with 1 to %d iterations.", maxIterations)
	}
	return nil
}

// check bounds the iterations of a MAC, and refuses one that go-pkcs12 does not know: then its only complaint is of a wrong password.
func (m *macData) check() error {
	if !m.Digest.Algorithm.Algorithm.Equal(oidPBMAC1) {
		if !isAmong(digests, m.Digest.Algorithm.Algorithm) {
			return unreadable()
		}
		return checkIterations(m.Iterations)
	}
	var scheme schemeParameters
	var kdf kdfParameters
	if !decode(m.Digest.Algorithm.Parameters.FullBytes, &scheme) || !decode(scheme.KDF.Parameters.FullBytes, &kdf) {
		return unreadable()
	}
	if !scheme.KDF.Algorithm.Equal(oidPBKDF2) || !isAmong(hmacs, scheme.Scheme.Algorithm) || kdf.Salt.Tag != asn1.TagOctetString ||
		kdf.KeyLength < 20 || kdf.KeyLength > 64 || (kdf.PRF.Algorithm != nil && !isAmong(hmacs, kdf.PRF.Algorithm)) {
		return unreadable()
	}
	return checkIterations(kdf.Iterations)
}

func isAmong(list []asn1.ObjectIdentifier, oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(list, oid.Equal)
}

// sealed returns the file with its parts in their new order, and a MAC that fits them: with one iteration and SHA-1, the key that RFC 7292
// appendix B.2 derives is one hash of the purpose, the salt and the password, each repeated to fill blocks.
func (p *pfx) sealed(password []byte) ([]byte, error) {
	const block, purpose = 64, 3
	safe, err := asn1.Marshal(p.parts)
	if err != nil {
		return nil, fmt.Errorf("order the parts of a PKCS #12 file: %w", err)
	}
	var salt [8]byte
	derived := sha1.New()
	derived.Write(slices.Repeat([]byte{purpose}, block))
	derived.Write(slices.Repeat(salt[:], block/len(salt)))
	if length := len(password); length > 0 {
		filled := (length + block - 1) / block * block
		derived.Write(slices.Repeat(password, filled/length+1)[:filled])
	}
	mac := hmac.New(sha1.New, derived.Sum(nil))
	mac.Write(safe)

	content, err := asn1.Marshal(safe)
	if err != nil {
		return nil, fmt.Errorf("order the parts of a PKCS #12 file: %w", err)
	}
	outer := pfxContent{Version: 3, AuthSafe: contentInfo{oidData, asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true, Bytes: content}}}
	outer.MAC.Digest.Algorithm = pkix.AlgorithmIdentifier{Algorithm: oidSHA1, Parameters: asn1.NullRawValue}
	outer.MAC.Digest.Digest, outer.MAC.Salt, outer.MAC.Iterations = mac.Sum(nil), salt[:], 1
	return asn1.Marshal(outer)
}
