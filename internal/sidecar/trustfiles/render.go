package trustfiles

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// render returns the files by their paths in the folder, for the authorities of the installation in PEM.
func render(own []byte) (map[string][]byte, error) {
	authorities, err := cabundle.Parse(own)
	if err != nil {
		return nil, err
	}
	own = authorities.PEM()
	public, text, err := publicRoots()
	if err != nil {
		return nil, err
	}
	store, err := javaStore(append(public, authorities...))
	if err != nil {
		return nil, err
	}
	files, err := hashed(authorities)
	if err != nil {
		return nil, err
	}
	files[settings.TrustOwn], files[settings.TrustAll], files[settings.TrustJava] = own, append(text, own...), store
	return files, nil
}

// publicRoots returns the roots that browsers trust, also in PEM. Those that are trusted until a date only are among them, because
// neither format can say so, as in the lists of Python and Java.
func publicRoots() (roots []*x509.Certificate, text []byte, err error) {
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, nil, fmt.Errorf("read a public root: %w", err)
		}
		roots = append(roots, certificate)
		text = append(text, encode(certificate)...)
	}
	return roots, text, nil
}

// javaStore returns a trust store without a password: what it holds is public, and Java expects none.
func javaStore(certificates []*x509.Certificate) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for _, certificate := range certificates {
		// Several roots may have one subject, and Java keeps one certificate of each name.
		digest := sha256.Sum256(certificate.Raw)
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: certificate, FriendlyName: hex.EncodeToString(digest[:])})
	}
	store, err := pkcs12.Passwordless.EncodeTrustStoreEntries(entries, "")
	if err != nil {
		return nil, fmt.Errorf("encode the trust store: %w", err)
	}
	return store, nil
}

// hashed returns one file for each authority, with the name by which OpenSSL looks for it.
func hashed(authorities cabundle.Bundle) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, authority := range authorities {
		hash, err := subjectHash(authority)
		if err != nil {
			return nil, err
		}
		for n := 0; ; n++ {
			name := fmt.Sprintf("%s/%s.%d", settings.TrustHashed, hash, n)
			if _, taken := files[name]; !taken {
				files[name] = encode(authority)
				break
			}
		}
	}
	return files, nil
}

func encode(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}
