package storagegate

import (
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
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// BackendName is the name in Azurite's certificate.
const BackendName = "azurite"

// The files that the gate writes for Azurite into a folder that both mount.
const (
	CertificateFile = "tls.crt"
	KeyFile         = "tls.key"
	AccountsFile    = "accounts.json"
)

// KeepCertificate returns the certificate of the backend in a folder, and makes it if it is not there. Bearer tokens need TLS in Azurite, even
// between two containers of a pod; nobody else trusts this certificate.
func KeepCertificate(folder string, now time.Time) (*x509.Certificate, error) {
	kept, err := tls.LoadX509KeyPair(filepath.Join(folder, CertificateFile), filepath.Join(folder, KeyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return makeCertificate(folder, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate of Azurite: %w", err)
	}
	return kept.Leaf, nil
}

func makeCertificate(folder string, now time.Time) (*x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of Azurite's certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: BackendName}, DNSNames: []string{BackendName},
		// It lasts as long as the volume.
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of Azurite: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key of Azurite's certificate: %w", err)
	}
	// Azurite waits for the certificate, so the key is there before it.
	for _, file := range []struct {
		name  string
		block pem.Block
	}{{KeyFile, pem.Block{Type: "PRIVATE KEY", Bytes: encoded}}, {CertificateFile, pem.Block{Type: "CERTIFICATE", Bytes: signed}}} {
		if err := replace(filepath.Join(folder, file.name), pem.EncodeToMemory(&file.block)); err != nil {
			return nil, err
		}
	}
	return x509.ParseCertificate(signed)
}

// replace writes a file that others see complete or not at all.
func replace(path string, content []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
