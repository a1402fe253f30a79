// Package certificate gets certificates for a process and keeps them current. Their keys are in memory alone.
package certificate

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/keyutil"

	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// Lifetime is how long a certificate is good. It is renewed long before that.
const Lifetime = 7 * 24 * time.Hour

const (
	// patience is how long a request for a certificate may take before it is made anew.
	patience = 5 * time.Minute

	// lookEvery is how often the names and the clock are looked at.
	lookEvery = time.Minute
)

// failing is how long to wait after each request that was made in vain: denied, for one.
var failing = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 20, Cap: 10 * time.Minute}

// Wanted says which certificate is to be had.
type Wanted struct {
	// Names are the DNS names, the subject's common name first. They are found out when they are needed.
	Names func(context.Context) ([]string, error)

	NewKey func() (crypto.Signer, error)

	// Issue has a certificate made of a request, in PEM.
	Issue func(ctx context.Context, request *x509.CertificateRequest, key crypto.Signer) ([]byte, error)

	// Authorities are those of now, the first of which is to have signed.
	Authorities *cabundle.Latest
}

// Kept is a certificate that is kept current.
type Kept struct {
	wanted Wanted
	now    func() time.Time
	log    logr.Logger

	held    atomic.Pointer[held]
	failing wait.Backoff
}

// Keep keeps a certificate once it is started.
func Keep(wanted Wanted, log logr.Logger) *Kept {
	return &Kept{wanted: wanted, now: time.Now, log: log, failing: failing}
}

// Current is the certificate; nil while there is none that is good.
func (k *Kept) Current() *tls.Certificate {
	if held := k.held.Load(); held != nil && k.now().Before(held.pair.Leaf.NotAfter) {
		return held.pair
	}
	return nil
}

// Ready reports whether there is a certificate.
func (k *Kept) Ready() bool { return k.Current() != nil }

// GetCertificate is for tls.Config.
func (k *Kept) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := k.Current(); current != nil {
		return current, nil
	}
	return nil, errors.New("there is no certificate to serve with")
}

// NeedLeaderElection says that every replica has a certificate.
func (k *Kept) NeedLeaderElection() bool { return false }

// Start keeps the certificate current until the context ends.
func (k *Kept) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		changed := k.wanted.Authorities.Changed()
		pause := k.look(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-changed:
		}
	}
	return nil
}

// look asks for a certificate where one is due, and says how long to wait before the next look. Who has just asked waits
// longer each time, until what he was given will do. Nobody is asked before there is an authority.
func (k *Kept) look(ctx context.Context) time.Duration {
	authorities := k.wanted.Authorities.Bundle()
	if authorities == nil {
		return lookEvery
	}
	names, err := k.wanted.Names(ctx)
	if err == nil {
		if due := k.held.Load().due(names, authorities, k.now()); due > 0 {
			k.failing = failing
			return min(due, lookEvery)
		}
		err = k.renew(ctx, names)
	}
	if err != nil && ctx.Err() == nil {
		k.log.Info("there is no new certificate", "names", names, "why", err.Error())
	}
	return k.failing.Step()
}

// renew asks for a certificate of a new key.
func (k *Kept) renew(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	key, err := k.wanted.NewKey()
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
	}, key)
	if err != nil {
		return fmt.Errorf("make a request for a certificate: %w", err)
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return fmt.Errorf("read the request for a certificate: %w", err)
	}
	issued, err := k.wanted.Issue(ctx, request, key)
	if err != nil {
		return err
	}
	return k.hold(issued, key)
}

func (k *Kept) hold(issued []byte, key crypto.Signer) error {
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return fmt.Errorf("encode the key: %w", err)
	}
	pair, err := tls.X509KeyPair(issued, encoded)
	if err != nil {
		return fmt.Errorf("read the issued certificate: %w", err)
	}
	k.held.Store(newHeld(&pair))
	k.log.Info("there is a new certificate", "names", pair.Leaf.DNSNames, "expires", pair.Leaf.NotAfter)
	return nil
}
