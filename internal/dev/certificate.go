package dev

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// The files of the authority.
const (
	authorityFile    = "ca.crt"
	authorityKeyFile = "ca.key"
)

// authorityLeft is the least validity of a kept authority: shorter ones are made anew.
const authorityLeft = 30 * 24 * time.Hour

// authority signs the certificate of the vaults. It can sign for their names alone, so that to trust it is no risk to others.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// keptAuthority returns the authority of a folder, which is made if there is none.
func keptAuthority(folder string) (*authority, error) {
	certificateFile, keyFile := filepath.Join(folder, authorityFile), filepath.Join(folder, authorityKeyFile)
	pair, err := tls.LoadX509KeyPair(certificateFile, keyFile)
	if err == nil && time.Until(pair.Leaf.NotAfter) > authorityLeft {
		return &authority{pair.Leaf, pair.PrivateKey.(crypto.Signer)}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the authority of the vaults' certificate: %w", err)
	}
	made, err := newAuthority()
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(made.key)
	if err != nil {
		return nil, fmt.Errorf("encode the authority's key: %w", err)
	}
	err = writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return made, errors.Join(err, made.publish(folder))
}

// publish writes the certificate that clients are to trust.
func (a *authority) publish(folder string) error {
	return writeFile(filepath.Join(folder, authorityFile), cabundle.Bundle{a.certificate}.PEM())
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	root := &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-imds dev Key Vault"}, KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{vaultDomain},
		// Permitted DNS names do not constrain other kinds of names.
		ExcludedIPRanges: []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		},
	}
	if root, err = certify(root, root, key.Public(), key); err != nil {
		return nil, err
	}
	return &authority{root, key}, nil
}

// serving returns a certificate for all vaults.
func (a *authority) serving() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the vaults' key: %w", err)
	}
	leaf, err := certify(&x509.Certificate{
		Subject: pkix.Name{CommonName: "*." + vaultDomain}, DNSNames: []string{"*." + vaultDomain}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.certificate.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// writeFile writes a file of the user's own.
func writeFile(path string, content []byte) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write the authority of the vaults' certificate: %w", err)
	}
	return nil
}
