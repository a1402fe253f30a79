package suite

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

// The identifiers in an attested document (RFC 5652, RFC 8017).
var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidSHA256WithRSA = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// contentInfo and its parts are RFC 5652's structures, in the order of their encoding.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

type signedData struct {
	Version          int
	DigestAlgorithms []pkix.AlgorithmIdentifier `asn1:"set"`
	Encapsulated     contentInfo
	Certificates     asn1.RawValue `asn1:"optional,tag:0"`
	Revocations      asn1.RawValue `asn1:"optional,tag:1"`
	Signers          []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version            int
	Signer             issuerAndSerial
	DigestAlgorithm    pkix.AlgorithmIdentifier
	SignedAttributes   asn1.RawValue `asn1:"optional,tag:0"`
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Signature          []byte
	UnsignedAttributes asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// envelope is a parsed signed message.
type envelope struct {
	signedData
	content      []byte
	certificates []*x509.Certificate
}

// parseEnvelope parses the base64 of a signed message.
func parseEnvelope(text string) (*envelope, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	var outer contentInfo
	if err := parseAll(der, &outer); err != nil {
		return nil, fmt.Errorf("not CMS: %w", err)
	}
	if !outer.Type.Equal(oidSignedData) {
		return nil, fmt.Errorf("its type is %s, want SignedData", outer.Type)
	}
	e := &envelope{}
	if err := parseAll(outer.Content.Bytes, &e.signedData); err != nil {
		return nil, fmt.Errorf("parse its SignedData: %w", err)
	}
	if len(e.Encapsulated.Content.Bytes) > 0 {
		if err := parseAll(e.Encapsulated.Content.Bytes, &e.content); err != nil {
			return nil, fmt.Errorf("its content is not an octet string: %w", err)
		}
	}
	e.certificates, err = x509.ParseCertificates(e.Certificates.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse its certificates: %w", err)
	}
	return e, nil
}

// parseAll parses a value without trailing bytes.
func parseAll(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow", len(rest))
	}
	return err
}

// leaf returns the only certificate.
func (e *envelope) leaf() (*x509.Certificate, error) {
	if n := len(e.certificates); n != 1 {
		return nil, fmt.Errorf("got %d certificates", n)
	}
	return e.certificates[0], nil
}

// signer returns the only signature.
func (e *envelope) signer() (signerInfo, error) {
	if n := len(e.Signers); n != 1 {
		return signerInfo{}, fmt.Errorf("got %d signatures", n)
	}
	return e.Signers[0], nil
}

// verify verifies the signature over the content with the certificate's key.
func (e *envelope) verify() error {
	leaf, err := e.leaf()
	if err != nil {
		return err
	}
	signer, err := e.signer()
	if err != nil {
		return err
	}
	if !bytes.Equal(signer.Signer.Issuer.FullBytes, leaf.RawIssuer) || signer.Signer.Serial.Cmp(leaf.SerialNumber) != 0 {
		return errors.New("the signature is of another certificate")
	}
	key, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the key is a %T", leaf.PublicKey)
	}
	digest := sha256.Sum256(e.content)
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], signer.Signature)
}
