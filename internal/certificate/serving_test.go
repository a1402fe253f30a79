package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/certificate"
)

func TestMemoryIsEmptyAtFirst(t *testing.T) {
	t.Parallel()
	pair, err := new(memory).Current()
	// The library asks for a certificate if it is told so in this type, and gives up otherwise.
	if missing := new(certificate.NoCertKeyError); pair != nil || !errors.As(err, &missing) {
		t.Errorf("an empty store holds %v, %v", pair, err)
	}
}

func TestMemoryKeepsTheLatest(t *testing.T) {
	t.Parallel()
	store := new(memory)
	for serial := range int64(2) {
		updated, err := store.Update(issue(t, serial+1))
		if err != nil {
			t.Fatal(err)
		}
		current, err := store.Current()
		if err != nil {
			t.Fatal(err)
		}
		// The library reads the times of renewal from the leaf.
		if updated != current || current.Leaf == nil || current.Leaf.SerialNumber.Int64() != serial+1 {
			t.Errorf("the store holds %v after certificate %d", current, serial+1)
		}
	}
}

func TestMemoryRefusesGarbage(t *testing.T) {
	t.Parallel()
	certificatePEM, keyPEM := issue(t, 1)
	_, otherKey := issue(t, 2)
	for name, given := range map[string]struct{ certificate, key []byte }{
		"nothing":                {nil, nil},
		"no certificate":         {nil, keyPEM},
		"no key":                 {certificatePEM, nil},
		"the key of another one": {certificatePEM, otherKey},
		"garbage":                {[]byte("garbage"), keyPEM},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := new(memory)
			kept, err := store.Update(certificatePEM, keyPEM)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := store.Update(given.certificate, given.key); err == nil {
				t.Error("it is taken for a certificate")
			}
			if current, err := store.Current(); current != kept || err != nil {
				t.Errorf("the certificate that was there is lost: %v, %v", current, err)
			}
		})
	}
}

func TestNewServingIsNotReady(t *testing.T) {
	t.Parallel()
	serving, err := NewServing(&rest.Config{Host: "https://127.0.0.1:1"}, IssuerSigner, []string{"kube-imds-issuer.kube-imds.svc"})
	if err != nil {
		t.Fatal(err)
	}
	if serving.Ready() {
		t.Error("there is a certificate before one was asked for")
	}
	if pair, err := serving.GetCertificate(nil); pair != nil || err == nil {
		t.Errorf("the certificate is %v, %v", pair, err)
	}
}

func TestServingIsReadyWithACertificate(t *testing.T) {
	t.Parallel()
	pair := &tls.Certificate{}
	serving := &Serving{&manager{current: pair}}
	if !serving.Ready() {
		t.Error("there is a certificate, and it is not ready")
	}
	if got, err := serving.GetCertificate(nil); got != pair || err != nil {
		t.Errorf("the certificate is %v, %v", got, err)
	}
}

func TestServingRunsUntilItIsStopped(t *testing.T) {
	t.Parallel()
	manager := &manager{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Serving{manager}).Start(ctx); err != nil {
		t.Errorf("ended with %v", err)
	}
	if !manager.started || !manager.stopped {
		t.Errorf("started: %t, stopped: %t", manager.started, manager.stopped)
	}
}

// manager is a certificate.Manager that does nothing.
type manager struct {
	certificate.Manager
	current          *tls.Certificate
	started, stopped bool
}

func (m *manager) Start()                    { m.started = true }
func (m *manager) Stop()                     { m.stopped = true }
func (m *manager) Current() *tls.Certificate { return m.current }

// issue makes a certificate that is its own authority, and its key.
func issue(t *testing.T, serial int64) (certificatePEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now(), NotAfter: time.Now().Add(Lifetime)}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
}
