// Package authority is the certificate authority of kube-imds' own servers. Its keys are a ring in a Secret that the
// controller alone reads: one signs, the next one is published ahead of its use, and those before stay in the bundle until
// what they have signed has expired (docs/design/authority.md).
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

// lookEvery is how often the ring is looked at without a reason.
const lookEvery = 10 * time.Second

// Options say what an authority is of.
type Options struct {
	// Object is the key of the Secret and of the ConfigMap.
	Object client.ObjectKey

	// Domains are the DNS names that it may sign for, and for what is below them.
	Domains []string

	// URL is where its certificates are found, below which cabundle.CertificatePath is.
	URL string

	Policy keyring.Policy
	Now    func() time.Time
}

// Authority signs certificates, and keeps the ring of its keys. Its replicas agree because each writes only on top of what it
// has read.
type Authority struct {
	Options

	// cached reads from caches that have no keys, and writes; live reads from the API server.
	cached client.Client
	live   client.Reader

	latest cabundle.Latest
}

// New makes an authority. The first client reads from caches and writes; the other one reads the keys when they are needed.
func New(cached client.Client, live client.Reader, options Options) *Authority {
	options.Policy.Keep = Keep
	return &Authority{Options: options, cached: cached, live: live}
}

// Check says what is wrong with a policy: a certificate must outlive its waiting and its signing.
func Check(policy keyring.Policy) error {
	if policy.Every <= 0 || policy.Every > LongestTerm || policy.Ahead < 0 || policy.Ahead > policy.Every {
		return fmt.Errorf("a key signs for more than 0 and at most %s, and is published ahead for at most as long", LongestTerm)
	}
	return nil
}

// SetupWithManager makes the manager look after the ring, in every replica: each knows at once what it has become.
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

// Reconcile takes the ring one step further, and makes its bundle known in this process.
func (a *Authority) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	bundle, err := a.advance(ctx)
	if apierrors.IsConflict(err) {
		// Another replica was first, and that will be heard of.
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	a.latest.Set(bundle)
	return ctrl.Result{RequeueAfter: lookEvery}, nil
}

// advance is the bundle of the ring after one look at it. What has changed is kept before anybody may use it.
func (a *Authority) advance(ctx context.Context) (cabundle.Bundle, error) {
	secret, ring, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	published, err := a.published(ctx)
	if err != nil {
		return nil, err
	}
	orders := keyring.OrdersOf(secret)
	next, rotated, err := ring.Advance(keyring.Look{
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

func (a *Authority) newSlot() (keyring.Slot, error) {
	made, err := NewCA(a.Domains, a.Now())
	if err != nil {
		return keyring.Slot{}, err
	}
	return made.slot()
}

// read reads the ring from the API server: it is in no cache.
func (a *Authority) read(ctx context.Context) (*corev1.Secret, keyring.Ring, error) {
	var secret corev1.Secret
	if err := a.live.Get(ctx, a.Object, &secret); err != nil {
		return nil, keyring.Ring{}, fmt.Errorf("read the authority's keys: %w", err)
	}
	ring, err := ringOf(&secret)
	return &secret, ring, err
}

// published is what the ConfigMap has; nothing where that cannot be read, and is about to be put right.
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

// Sign makes a certificate of a template, with times of the authority's choice.
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

// Issue makes this process a serving certificate.
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

// Latest is the bundle as this process has last seen it.
func (a *Authority) Latest() *cabundle.Latest { return &a.latest }

// Key is the name of the authority's Secret and of its ConfigMap.
func (a *Authority) Key() client.ObjectKey { return a.Object }

// Bundle is the authority's certificates in PEM, as the Secret in the cache has them; nil until there is one.
func (a *Authority) Bundle(ctx context.Context) []byte {
	var secret corev1.Secret
	if a.cached.Get(ctx, a.Object, &secret) != nil {
		return nil
	}
	return secret.Data[BundleKey]
}

// StripKey keeps the authority's keys out of the cache that Bundle reads. What else is kept in the Secret stays.
func StripKey(object any) (any, error) {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.ManagedFields = nil
		for _, key := range []string{keyring.SecretKey, corev1.TLSPrivateKeyKey, corev1.TLSCertKey} {
			delete(secret.Data, key)
		}
	}
	return object, nil
}
