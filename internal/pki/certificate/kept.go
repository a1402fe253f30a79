package certificate

import (
	"cmp"
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

// Lifetime is the validity of a certificate. It is renewed long before it ends.
const Lifetime = 7 * 24 * time.Hour

const (
	// patience bounds a request for a certificate before another one is made.
	patience = 5 * time.Minute

	// lookEvery is the default of Wanted.LookEvery.
	lookEvery = time.Minute
)

// failing is the backoff of requests that fail, such as denied ones.
var failing = wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 20, Cap: 10 * time.Minute}

// Wanted describes a certificate.
type Wanted struct {
	// Names returns the DNS names, for none of which there is no certificate. The first one is also the common name.
	Names func(context.Context) ([]string, error)

	// LookEvery is how often names and clock are checked; a minute by default.
	LookEvery time.Duration

	NewKey func() (crypto.Signer, error)

	// Issue gets a certificate for a request, in PEM.
	Issue func(ctx context.Context, request *x509.CertificateRequest, key crypto.Signer) ([]byte, error)

	// Authorities is the current bundle. Its first certificate must have signed.
	Authorities *cabundle.Latest
}

// Kept is a certificate that is renewed.
type Kept struct {
	wanted Wanted
	now    func() time.Time
	log    logr.Logger

	held    atomic.Pointer[held]
	failing wait.Backoff
}

// Keep returns a Kept to start.
func Keep(wanted Wanted, log logr.Logger) *Kept {
	wanted.LookEvery = cmp.Or(wanted.LookEvery, lookEvery)
	return &Kept{wanted: wanted, now: time.Now, log: log, failing: failing}
}

// Current returns the certificate; nil while there is no valid one.
func (k *Kept) Current() *tls.Certificate {
	if held := k.held.Load(); held != nil && k.now().Before(held.pair.Leaf.NotAfter) {
		return held.pair
	}
	return nil
}

// Ready reports whether there is a certificate.
func (k *Kept) Ready() bool { return k.Current() != nil }

// GetCertificate is for tls.Config.GetCertificate.
func (k *Kept) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if current := k.Current(); current != nil {
		return current, nil
	}
	return nil, errors.New("there is no certificate to serve with")
}

// NeedLeaderElection returns false: every replica has a certificate.
func (k *Kept) NeedLeaderElection() bool { return false }

// Start renews the certificate until the context ends.
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

// look requests a certificate if one is due, and returns how long to wait before the next look. The wait grows while
// requests do not lead to a certificate that will do. It requests nothing before there is an authority.
func (k *Kept) look(ctx context.Context) time.Duration {
	authorities := k.wanted.Authorities.Bundle()
	if authorities == nil {
		return k.wanted.LookEvery
	}
	names, err := k.wanted.Names(ctx)
	if err == nil && len(names) == 0 {
		k.held.Store(nil)
		return k.wanted.LookEvery
	}
	if err == nil {
		if due := k.held.Load().due(names, authorities, k.now()); due > 0 {
			k.failing = failing
			return min(due, k.wanted.LookEvery)
		}
		err = k.renew(ctx, names)
	}
	if err != nil && ctx.Err() == nil {
		k.log.Info("there is no new certificate", "names", names, "why", err.Error())
	}
	return k.failing.Step()
}

// renew requests a certificate for a new key.
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
