// Package authority is the certificate authority of kube-imds' own servers. Its keys are a ring in a Secret that only the
// controller reads: one signs, the next one is published ahead of its use, and retired ones stay in the bundle until what
// they signed has expired (docs/design/authority.md).
package authority

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

// BundleKey is the key of the bundle in the authority's Secret and its ConfigMap.
const BundleKey = cabundle.Key

// lookEvery is how often the ring is checked without a change.
const lookEvery = 10 * time.Second

// Options configure an authority.
type Options struct {
	// Object is the key of the Secret and of the ConfigMap.
	Object client.ObjectKey

	// Domains are the DNS names that it may sign for, with all names below them.
	Domains []string

	// URL is the address of its certificates, below which are the paths of cabundle.CertificatePath.
	URL string

	Policy keyring.Policy
	Now    func() time.Time
}

// Authority signs certificates and keeps the ring of its keys. Replicas agree because each writes only on top of what it
// has read.
type Authority struct {
	Options

	// cached reads from caches without keys, and writes; live reads from the API server.
	cached client.Client
	live   client.Reader

	latest cabundle.Latest
}

// New returns an authority. cached reads from caches and writes; live reads the keys when they are needed.
func New(cached client.Client, live client.Reader, options Options) *Authority {
	options.Policy.Keep = Keep
	return &Authority{Options: options, cached: cached, live: live}
}

// Check returns an error for an impossible policy: a certificate must outlive its waiting and its signing.
func Check(policy keyring.Policy) error {
	if policy.Every <= 0 || policy.Every > LongestTerm || policy.Ahead < 0 || policy.Ahead > policy.Every {
		return fmt.Errorf("a key signs for more than 0 and at most %s, and is published ahead for at most as long", LongestTerm)
	}
	return nil
}

// SetupWithManager runs the authority in every replica, so that each knows at once what the ring has become.
func (a *Authority) SetupWithManager(manager ctrl.Manager) error {
	once := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrl.Request {
		return []ctrl.Request{{NamespacedName: a.Object}}
	})
	err := ctrl.NewControllerManagedBy(manager).
		Named("authority").
		WithOptions(controller.Options{NeedLeaderElection: new(false)}).
		Watches(&corev1.Secret{}, once).
		Watches(&corev1.ConfigMap{}, once).
		Complete(a)
	if err != nil {
		return fmt.Errorf("set up the authority: %w", err)
	}
	return nil
}

// Reconcile takes the ring one step further and publishes its bundle in this process.
func (a *Authority) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	bundle, err := a.advance(ctx)
	if apierrors.IsConflict(err) {
		// Another replica was first; the watch will report its change.
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	a.latest.Set(bundle)
	return ctrl.Result{RequeueAfter: lookEvery}, nil
}

// advance returns the bundle of the ring after its next step. A changed ring is stored before it is used.
func (a *Authority) advance(ctx context.Context) (cabundle.Bundle, error) {
	secret, ring, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	if ring.Next != nil {
		fits, err := a.fits(*ring.Next)
		if err != nil {
			return nil, err
		}
		if !fits {
			ring.Next = nil
		}
	}
	published, err := a.published(ctx)
	if err != nil {
		return nil, err
	}
	orders := keyring.OrdersOf(secret)
	next, rotated, err := ring.Advance(keyring.Input{
		Published: func(id string) bool { return published.Find(id) != nil }, Policy: a.Policy, Orders: orders, Now: a.Now(),
	}, a.newSlot)
	if err != nil {
		return nil, err
	}
	bundle, err := bundleOf(next)
	if err != nil {
		return nil, err
	}
	if next.Generation == ring.Generation && len(orders.Revoke) == 0 && bytes.Equal(secret.Data[BundleKey], bundle.PEM()) {
		return bundle, nil
	}
	before := secret.DeepCopy()
	if err := keep(next, bundle, secret, rotated); err != nil {
		return nil, err
	}
	if err := a.cached.Patch(ctx, secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return nil, fmt.Errorf("keep the authority's keys: %w", err)
	}
	ctrl.LoggerFrom(ctx).Info("changed the authority's keys",
		"generation", next.Generation, "rotated", rotated, "revocations", next.Revocations, "first", cabundle.KeyID(bundle[0]))
	return bundle, nil
}

// fits reports whether a key may sign for all domains. One that was made when there were fewer, and waits, is replaced: it has signed
// nothing.
func (a *Authority) fits(slot keyring.Slot) (bool, error) {
	found, err := certificateIn(slot)
	if err != nil {
		return false, err
	}
	for _, domain := range a.Domains {
		if !Permits(found, domain) {
			return false, nil
		}
	}
	return true, nil
}

func (a *Authority) newSlot() (keyring.Slot, error) {
	made, err := NewCA(a.Domains, a.Now())
	if err != nil {
		return keyring.Slot{}, err
	}
	return made.slot()
}

// read reads the ring from the API server, because no cache has it.
func (a *Authority) read(ctx context.Context) (*corev1.Secret, keyring.Ring, error) {
	var secret corev1.Secret
	if err := a.live.Get(ctx, a.Object, &secret); err != nil {
		return nil, keyring.Ring{}, fmt.Errorf("read the authority's keys: %w", err)
	}
	ring, err := ringOf(&secret)
	return &secret, ring, err
}

// published returns the ConfigMap's bundle; nil if it is unreadable, which is about to be repaired.
func (a *Authority) published(ctx context.Context) (cabundle.Bundle, error) {
	var config corev1.ConfigMap
	if err := a.cached.Get(ctx, a.Object, &config); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	bundle, err := cabundle.Parse([]byte(config.Data[BundleKey]))
	if err != nil {
		return nil, nil
	}
	return bundle, nil
}

var errNoneSigns = errors.New("no key of the authority signs yet")

// Sign signs a template. The authority sets its times.
func (a *Authority) Sign(ctx context.Context, template *x509.Certificate) (*x509.Certificate, error) {
	_, ring, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	if ring.Current == nil {
		return nil, errNoneSigns
	}
	current, err := open(*ring.Current)
	if err != nil {
		return nil, err
	}
	return current.Sign(template, a.URL, a.Now())
}

// Issue issues a serving certificate to this process.
func (a *Authority) Issue(ctx context.Context, request *x509.CertificateRequest, key crypto.Signer) ([]byte, error) {
	issued, err := a.Sign(ctx, &x509.Certificate{
		PublicKey: key.Public(), Subject: request.Subject, DNSNames: request.DNSNames,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issued.Raw}), nil
}

// Latest returns the bundle that this process has seen last.
func (a *Authority) Latest() *cabundle.Latest { return &a.latest }

// Key returns the key of the authority's Secret and ConfigMap.
func (a *Authority) Key() client.ObjectKey { return a.Object }

// Bundle returns the authority's certificates in PEM from the cached Secret, which callers may not change; nil until there are any.
func (a *Authority) Bundle(ctx context.Context) []byte {
	var secret corev1.Secret
	if a.cached.Get(ctx, a.Object, &secret, &client.GetOptions{UnsafeDisableDeepCopy: new(true)}) != nil {
		return nil
	}
	return secret.Data[BundleKey]
}

// StripKey drops the authority's keys from the cache that Bundle reads. Other contents stay.
func StripKey(object any) (any, error) {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.ManagedFields = nil
		for _, key := range []string{keyring.SecretKey, corev1.TLSPrivateKeyKey, corev1.TLSCertKey} {
			delete(secret.Data, key)
		}
	}
	return object, nil
}
