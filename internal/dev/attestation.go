package dev

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// attestation signs attested documents with a certificate of an authority that lives as long as the process.
type attestation struct {
	machine   imds.InstanceSource
	signer    *attested.Signer
	authority *x509.Certificate
}

var _ imds.AttestationSource = (*attestation)(nil)

// certificateLife is the validity of certificates: longer than the process runs.
const certificateLife = 365 * 24 * time.Hour

// newAttestation creates an authority and a certificate that names baseURL as the place of the authority's.
func newAttestation(ctx context.Context, machine imds.InstanceSource, baseURL string) (*attestation, error) {
	described, err := machine.Instance(ctx)
	if err != nil {
		return nil, err
	}
	authorityKey, authorityErr := rsa.GenerateKey(rand.Reader, 2048)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(authorityErr, err); err != nil {
		return nil, fmt.Errorf("make keys to attest with: %w", err)
	}
	root := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-imds dev"}, KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	if root, err = certify(root, root, &authorityKey.PublicKey, authorityKey); err != nil {
		return nil, err
	}
	names := attested.Names(described.AzureEnvironment, described.Location)
	leaf, err := certify(&x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IssuingCertificateURL: []string{baseURL + cabundle.CertificatePath(root)},
	}, root, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	pair := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	return &attestation{machine, &attested.Signer{Current: func() *tls.Certificate { return pair }, Now: time.Now}, root}, nil
}

func certify(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a certificate's number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = template.NotBefore.Add(certificateLife)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// Attest signs an attested document.
func (a *attestation) Attest(ctx context.Context, request imds.AttestationRequest) ([]byte, error) {
	described, err := a.machine.Instance(ctx)
	if err != nil {
		return nil, err
	}
	return a.signer.Attest(attested.Claims{
		VMID: described.VMID, SubscriptionID: described.SubscriptionID, Nonce: request.Nonce, Version: request.Version,
	})
}

// authorityHandler serves the authority's certificate.
func (a *attestation) authorityHandler() http.Handler {
	return cabundle.Handler(func() cabundle.Bundle { return cabundle.Bundle{a.authority} })
}
