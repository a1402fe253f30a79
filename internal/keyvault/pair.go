package keyvault

import (
	"crypto/x509"
	"encoding/json"
	"fmt"

	"github.com/kube-imds/kube-imds/internal/keyvault/certificate"
	"github.com/kube-imds/kube-imds/internal/keyvault/jwk"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// keptPair is the value of a version of a certificate: its private key as PKCS #8, and its chain, in DER.
type keptPair struct {
	Key   []byte   `json:"key"`
	Chain [][]byte `json:"chain"`
}

// certificateDetail is what a version of a certificate keeps beside its value. Its first part is the key behind the certificate, as a
// version of a key keeps it.
type certificateDetail struct {
	*jwk.Public
	CER        []byte `json:"cer"`
	Exportable bool   `json:"exportable"`
}

// describePair sets what a version says of a certificate by a policy, and returns the value to be kept.
func describePair(version *store.Version, pair *certificate.KeyPair, policy *certificate.Policy) ([]byte, error) {
	key, err := jwk.New(pair.Key)
	if err != nil {
		return nil, err
	}
	public, err := key.Public()
	if err != nil {
		return nil, fmt.Errorf("read the public part of a certificate's key: %w", err)
	}
	public.Operations = []jwk.Operation{}
	for _, operation := range policy.KeyOperations() {
		public.Operations = append(public.Operations, jwk.Operation(operation))
	}
	version.Detail, err = json.Marshal(certificateDetail{&public, pair.Leaf().Raw, *policy.Key.Exportable})
	if err != nil {
		return nil, fmt.Errorf("render what is public of a certificate: %w", err)
	}
	notBefore, expires := certificate.Validity(pair.Leaf())
	version.NotBefore, version.Expires, version.ContentType = &notBefore, &expires, policy.Secret.ContentType
	return encodePair(key, pair.Chain)
}

func encodePair(key *jwk.Key, chain []*x509.Certificate) ([]byte, error) {
	private, err := key.Marshal()
	if err != nil {
		return nil, err
	}
	kept := keptPair{Key: private}
	for _, one := range chain {
		kept.Chain = append(kept.Chain, one.Raw)
	}
	value, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("render a certificate: %w", err)
	}
	return value, nil
}

func decodePair(value []byte) (*certificate.KeyPair, error) {
	var kept keptPair
	if err := json.Unmarshal(value, &kept); err != nil {
		return nil, fmt.Errorf("parse a kept certificate: %w", err)
	}
	key, err := jwk.Parse(kept.Key)
	if err != nil {
		return nil, err
	}
	pair := &certificate.KeyPair{Key: key.Private()}
	for _, one := range kept.Chain {
		parsed, err := x509.ParseCertificate(one)
		if err != nil {
			return nil, fmt.Errorf("parse a kept certificate: %w", err)
		}
		pair.Chain = append(pair.Chain, parsed)
	}
	return pair, nil
}

// secretBehind returns the secret behind a version of a certificate.
func secretBehind(version *store.Version, value []byte) (string, error) {
	detail, err := detailOf(version)
	if err != nil {
		return "", err
	}
	pair, err := decodePair(value)
	if err != nil {
		return "", err
	}
	return pair.Secret(version.ContentType, detail.Exportable)
}

// keyBehind returns the private key behind a certificate, as keys keep theirs.
func keyBehind(value []byte) ([]byte, error) {
	var kept keptPair
	if err := json.Unmarshal(value, &kept); err != nil {
		return nil, fmt.Errorf("parse a kept certificate: %w", err)
	}
	return kept.Key, nil
}

func detailOf(version *store.Version) (*certificateDetail, error) {
	var detail certificateDetail
	if err := json.Unmarshal(version.Detail, &detail); err != nil {
		return nil, fmt.Errorf("parse what is public of a certificate: %w", err)
	}
	return &detail, nil
}
