// Package authority is the certificate authority of kube-imds' own servers. Its key is in a Secret that the controller
// alone reads; each replica signs its own serving certificate with it, in memory. cert-manager's library does the work.
package authority

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	certmanagertls "github.com/cert-manager/cert-manager/pkg/server/tls"
	"github.com/cert-manager/cert-manager/pkg/server/tls/authority"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cabundle"
)

// BundleKey is the key of the authority's certificate in its Secret and its ConfigMap.
const BundleKey = cabundle.Key

// The lifetimes. Pods carry the authority's certificate with them, so it must outlive them.
const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 7 * 24 * time.Hour
)

// Authority signs certificates, and has one for this process.
type Authority struct {
	key    client.ObjectKey
	reader client.Reader
	signer *authority.DynamicAuthority
	source *certmanagertls.DynamicSource
}

// New makes an authority that keeps its key in the Secret, and serves the DNS names. The reader reads the Secret from
// a cache.
func New(config *rest.Config, reader client.Reader, secret client.ObjectKey, dnsNames []string) *Authority {
	signer := &authority.DynamicAuthority{
		SecretNamespace: secret.Namespace, SecretName: secret.Name, RESTConfig: config,
		CommonName: "kube-imds", CADuration: authorityLifetime, LeafDuration: leafLifetime,
	}
	return &Authority{
		key: secret, reader: reader, signer: signer,
		source: &certmanagertls.DynamicSource{DNSNames: dnsNames, Authority: signer},
	}
}

// Start keeps the authority and this process's certificate current until the context ends.
func (a *Authority) Start(ctx context.Context) error { return a.source.Start(ctx) }

// NeedLeaderElection says that every replica has a certificate.
func (a *Authority) NeedLeaderElection() bool { return false }

// Ready tells whether this process has a certificate.
func (a *Authority) Ready() bool { return a.source.Healthy() }

// GetCertificate is for tls.Config.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.source.GetCertificate(hello)
}

// Sign makes a certificate of a template, with times of the authority's choice.
func (a *Authority) Sign(template *x509.Certificate) (*x509.Certificate, error) {
	return a.signer.Sign(template)
}

// Key is the name of the authority's Secret and of its ConfigMap.
func (a *Authority) Key() client.ObjectKey { return a.key }

// Bundle is the authority's certificate in PEM; nil until there is one.
func (a *Authority) Bundle(ctx context.Context) []byte {
	var secret corev1.Secret
	if a.reader.Get(ctx, a.key, &secret) != nil {
		return nil
	}
	return secret.Data[BundleKey]
}

// StripKey keeps the authority's key out of the cache that Bundle reads. What else is kept in the Secret stays.
func StripKey(object any) (any, error) {
	if secret, ok := object.(*corev1.Secret); ok {
		secret.ManagedFields = nil
		delete(secret.Data, corev1.TLSPrivateKeyKey)
		delete(secret.Data, corev1.TLSCertKey)
	}
	return object, nil
}
