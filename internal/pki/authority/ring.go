package authority

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// ringOf returns the ring in a Secret.
func ringOf(secret *corev1.Secret) (keyring.Ring, error) {
	ring, err := keyring.Parse(secret.Data[keyring.SecretKey])
	if err != nil || !ring.IsEmpty() || len(secret.Data[corev1.TLSPrivateKeyKey]) == 0 {
		return ring, err
	}
	return adopt(secret)
}

// adopt returns a ring with the only certificate of an earlier release. It signs until another one has been published for
// long enough.
func adopt(secret *corev1.Secret) (keyring.Ring, error) {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return keyring.Ring{}, fmt.Errorf("read the authority of an earlier release: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return keyring.Ring{}, fmt.Errorf("encode the key of an earlier release's authority: %w", err)
	}
	return keyring.Ring{Current: &keyring.Slot{
		ID: cabundle.KeyID(pair.Leaf), Private: private, Certificate: pair.Leaf.Raw,
	}}, nil
}

// bundleOf returns the public part of a ring.
func bundleOf(ring keyring.Ring) (cabundle.Bundle, error) {
	var bundle cabundle.Bundle
	for _, slot := range ring.Published() {
		found, err := certificateIn(slot)
		if err != nil {
			return nil, err
		}
		bundle = append(bundle, found)
	}
	return bundle, nil
}

// keep stores a ring and its bundle in the Secret, in place of an earlier release's authority. It drops keys that no longer
// sign.
func keep(ring keyring.Ring, bundle cabundle.Bundle, secret *corev1.Secret, rotated bool) error {
	for i := range ring.Retired {
		ring.Retired[i].Private = nil
	}
	if err := ring.Store(secret, rotated); err != nil {
		return err
	}
	secret.Data[BundleKey] = bundle.PEM()
	delete(secret.Data, corev1.TLSCertKey)
	delete(secret.Data, corev1.TLSPrivateKeyKey)
	return nil
}
