package integration

import (
	"bytes"
	"context"
	"crypto/x509"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/authority"
	"github.com/kube-imds/kube-imds/internal/capability"
)

func TestAuthorityOutlivesItsProcess(t *testing.T) {
	t.Parallel()
	needServer(t)
	secret := create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: createNamespace(t).Name, Name: "ca"}})
	key := client.ObjectKeyFromObject(secret)

	first := authority.New(adminConfig, admin, key, oidcNames)
	if first.Ready() || first.Bundle(t.Context()) != nil {
		t.Error("an authority with an empty Secret is ready")
	}
	if _, err := first.GetCertificate(nil); err == nil {
		t.Error("an authority with an empty Secret has a certificate")
	}
	stop := start(t, first.Start)
	bundle := awaitCertificate(t, first)
	stop()

	second := authority.New(adminConfig, admin, key, oidcNames)
	start(t, second.Start)
	if again := awaitCertificate(t, second); !bytes.Equal(again, bundle) {
		t.Error("another process has another authority")
	}
}

func TestKeyOfTheAuthorityIsNotCached(t *testing.T) {
	t.Parallel()
	controller := needController(t)
	eventually(t, func(ctx context.Context) string {
		secret := &corev1.Secret{}
		if err := controller.cache.Get(ctx, caKey, secret); err != nil {
			return err.Error()
		}
		if len(secret.Data[authority.BundleKey]) == 0 {
			return "the certificate is not cached"
		}
		for name := range secret.Data {
			if name != authority.BundleKey && name != capability.SecretKey {
				t.Errorf("%s is cached", name)
			}
		}
		return ""
	})
}

// awaitCertificate waits until a process has a certificate that its authority's bundle trusts, and returns the bundle.
func awaitCertificate(t *testing.T, trust *authority.Authority) []byte {
	t.Helper()
	var bundle []byte
	eventually(t, func(ctx context.Context) string {
		bundle = trust.Bundle(ctx)
		if !trust.Ready() {
			return "there is no certificate"
		}
		return verifies(trust, bundle)
	})
	return bundle
}

// verifies says why the certificate of a process is not good for its names by a bundle; empty if it is.
func verifies(trust *authority.Authority, bundle []byte) string {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return "there is no bundle"
	}
	pair, err := trust.GetCertificate(nil)
	if err != nil {
		return err.Error()
	}
	for _, name := range oidcNames {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			return err.Error()
		}
	}
	return ""
}
