package integration

import (
	"context"
	"crypto/x509"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

// Replicas that start at once share one authority, and so does a later one.
func TestReplicasShareOneAuthority(t *testing.T) {
	t.Parallel()
	needServer(t)
	meta := metav1.ObjectMeta{Namespace: createNamespace(t).Name, Name: "ca"}
	secret, config := create(t, &corev1.Secret{ObjectMeta: meta}), create(t, &corev1.ConfigMap{ObjectMeta: meta})
	key := client.ObjectKeyFromObject(secret)
	replicas := []*authority.Authority{newReplica(key), newReplica(key), newReplica(key)}
	if replicas[0].Bundle(t.Context()) != nil {
		t.Error("an authority with an empty Secret has a certificate")
	}
	eventually(t, func(ctx context.Context) string {
		var looking sync.WaitGroup
		for _, replica := range replicas {
			looking.Go(func() {
				if _, err := replica.Reconcile(ctx, ctrl.Request{}); err != nil {
					t.Error(err)
				}
			})
		}
		looking.Wait()
		change(t, config, func(config *corev1.ConfigMap) {
			config.Data = map[string]string{authority.BundleKey: string(replicas[0].Bundle(ctx))}
		})
		if len(replicas[0].Latest().Bundle()) < 2 {
			return "there is no authority that signs, and a next one"
		}
		return ""
	})
	bundle := replicas[0].Latest().Bundle()
	for _, replica := range append(replicas, newReplica(key)) {
		signed, err := replica.Sign(t.Context(), &x509.Certificate{DNSNames: oidcNames, PublicKey: bundle[0].PublicKey})
		if err != nil {
			t.Fatal(err)
		}
		if rank := bundle.SignerOf(signed); rank != 0 {
			t.Errorf("signed by certificate %d of the bundle", rank)
		}
	}
}

func newReplica(key client.ObjectKey) *authority.Authority {
	return authority.New(admin, admin, authorityOptions(key))
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

// verifies returns why a bundle does not verify a certificate for its names; "" if it does.
func verifies(serving *certificate.Kept, bundle []byte) string {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return "there is no bundle"
	}
	pair, err := serving.GetCertificate(nil)
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
