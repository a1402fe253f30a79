package authority

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
)

const (
	ahead = 24 * time.Hour
	every = 100 * 24 * time.Hour
)

// installation holds what replicas share.
type installation struct {
	*testing.T
	client client.Client
	now    time.Time
	object client.ObjectKey
}

func newInstallation(t *testing.T, data map[string][]byte) *installation {
	t.Helper()
	t.Parallel()
	key := client.ObjectKey{Namespace: "imds", Name: "ca"}
	meta := metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}
	return &installation{t, fake.NewClientBuilder().WithObjects(
		&corev1.Secret{ObjectMeta: meta, Data: data}, &corev1.ConfigMap{ObjectMeta: meta},
	).Build(), time.Now(), key}
}

func (i *installation) replica() *Authority {
	return New(i.client, i.client, Options{
		Object: i.object, Domains: domains, URL: "http://authority", Policy: keyring.Policy{Ahead: ahead, Every: every},
		Now: func() time.Time { return i.now },
	})
}

// look reconciles replicas once.
func (i *installation) look(replicas ...*Authority) {
	i.Helper()
	for _, replica := range replicas {
		if _, err := replica.Reconcile(i.Context(), ctrl.Request{}); err != nil {
			i.Fatal(err)
		}
	}
}

// publish publishes the bundle, as TrustReconciler does.
func (i *installation) publish() {
	i.Helper()
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: i.object.Namespace, Name: i.object.Name}}
	config.Data = map[string]string{BundleKey: string(i.secret().Data[BundleKey])}
	if err := i.client.Update(i.Context(), config); err != nil {
		i.Fatal(err)
	}
}

// settle reconciles replicas and publishes the bundle until there is nothing left to do.
func (i *installation) settle(replicas ...*Authority) cabundle.Bundle {
	i.Helper()
	for range 4 {
		i.look(replicas...)
		i.publish()
	}
	return i.bundle()
}

func (i *installation) secret() *corev1.Secret {
	i.Helper()
	var secret corev1.Secret
	if err := i.client.Get(i.Context(), i.object, &secret); err != nil {
		i.Fatal(err)
	}
	return &secret
}

func (i *installation) change(change func(*corev1.Secret)) {
	i.Helper()
	secret := i.secret()
	change(secret)
	if err := i.client.Update(i.Context(), secret); err != nil {
		i.Fatal(err)
	}
}

func (i *installation) bundle() cabundle.Bundle {
	i.Helper()
	bundle, err := cabundle.Parse(i.secret().Data[BundleKey])
	if err != nil {
		i.Fatal(err)
	}
	return bundle
}

// signer returns the index in a bundle of the certificate that signs now.
func (i *installation) signer(replica *Authority, bundle cabundle.Bundle) int {
	i.Helper()
	leaf, err := replica.Sign(i.Context(), &x509.Certificate{DNSNames: domains[:1], PublicKey: newKey(i.T).Public()})
	if err != nil {
		i.Fatal(err)
	}
	return bundle.SignerOf(leaf)
}

func (i *installation) want(bundle cabundle.Bundle, certificates ...*x509.Certificate) {
	i.Helper()
	if len(bundle) < len(certificates) {
		i.Fatalf("the bundle has %d certificates", len(bundle))
	}
	for rank, certificate := range certificates {
		if certificate != nil && !bundle[rank].Equal(certificate) {
			i.Errorf("certificate %[2]d of the bundle = %[1]s, want %[3]s", bundle[rank].Subject, rank, certificate.Subject)
		}
	}
}

func TestUnpublishedAuthorityDoesNotSign(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	for range 3 {
		i.look(replica)
	}
	if _, err := replica.Sign(t.Context(), &x509.Certificate{PublicKey: newKey(t).Public()}); !errors.Is(err, errNoneSigns) {
		t.Errorf("signed before it is published: %v", err)
	}
	first := i.bundle()
	i.publish()
	i.look(replica)
	if rank := i.signer(replica, first); rank != 0 {
		t.Error("the first key does not sign once it is published")
	}
	i.want(i.bundle(), first[0], nil)
}

func TestReplicasAgree(t *testing.T) {
	i := newInstallation(t, nil)
	one, other := i.replica(), i.replica()
	bundle := i.settle(one, other)
	for _, replica := range []*Authority{one, other, i.replica()} {
		if rank := i.signer(replica, bundle); rank != 0 {
			t.Errorf("signed by certificate %d of the bundle", rank)
		}
	}
	before := i.secret().ResourceVersion
	if i.settle(one, other); i.secret().ResourceVersion != before {
		t.Error("the Secret is written without need")
	}
}

func TestRotation(t *testing.T) {
	for name, order := range map[string]bool{"by order": true, "on schedule": false} {
		t.Run(name, func(t *testing.T) {
			i := newInstallation(t, nil)
			replica := i.replica()
			before := i.settle(replica)
			if order {
				i.change(func(secret *corev1.Secret) {
					secret.Annotations = map[string]string{keyring.RotateAnnotation: "now"}
				})
			} else {
				i.now = i.now.Add(every - ahead)
			}
			i.now = i.now.Add(ahead - time.Minute)
			i.settle(replica)
			i.want(i.bundle(), before[0], before[1])
			i.now = i.now.Add(time.Minute)
			after := i.settle(replica)
			i.want(after, before[1], nil, before[0])
			if rank := i.signer(replica, after); rank != 0 {
				t.Errorf("signed by certificate %d of the bundle", rank)
			}
			if len(i.secret().Annotations) > 0 {
				t.Error("the order remains")
			}
			i.now = i.now.Add(Keep - time.Minute)
			i.want(i.settle(replica), before[1], nil, before[0])
			i.now = i.now.Add(time.Minute)
			if gone := i.settle(replica); len(gone) != 2 || gone.Find(cabundle.KeyID(before[0])) != nil {
				t.Error("a certificate stays although all its leaves have expired")
			}
		})
	}
}

// A retired key must not be worth stealing.
func TestKeyOfARetiredCertificateIsDropped(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	i.settle(replica)
	i.now = i.now.Add(every)
	i.settle(replica)
	ring, err := ringOf(i.secret())
	if err != nil || len(ring.Retired) != 1 {
		t.Fatalf("ring = %+v, error %v", ring.Retired, err)
	}
	if ring.Retired[0].Private != nil || ring.Current.Private == nil {
		t.Error("the retired key is kept, or the current one is missing")
	}
}

func TestRevocation(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	before := i.settle(replica)
	i.change(func(secret *corev1.Secret) {
		secret.Annotations = map[string]string{keyring.RevokeAnnotation: keyring.CurrentKey}
	})
	i.look(replica)
	after := i.bundle()
	i.want(after, before[1], nil)
	if after.Find(cabundle.KeyID(before[0])) != nil {
		t.Error("the revoked certificate is in the bundle")
	}
	if rank := i.signer(replica, after); rank != 0 {
		t.Errorf("signed by certificate %d of the bundle", rank)
	}
	if len(i.secret().Annotations) > 0 {
		t.Error("the order remains")
	}
}

func TestRevocationOfUnknownKeyIsDropped(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	before := i.settle(replica)
	i.change(func(secret *corev1.Secret) {
		secret.Annotations = map[string]string{keyring.RevokeAnnotation: "unknown"}
	})
	i.want(i.settle(replica), before...)
	if len(i.secret().Annotations) > 0 {
		t.Error("the order remains")
	}
}

func TestClearedSecretMakesANewAuthority(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	before := i.settle(replica)
	i.change(func(secret *corev1.Secret) { secret.Data = nil })
	i.look(replica)
	for _, gone := range before {
		if i.bundle().Find(cabundle.KeyID(gone)) != nil {
			t.Error("a certificate of the old authority is in the bundle")
		}
	}
	if rank := i.signer(replica, i.settle(replica)); rank != 0 {
		t.Errorf("signed by certificate %d of the bundle", rank)
	}
}

func TestOtherDataInTheSecretStays(t *testing.T) {
	i := newInstallation(t, map[string][]byte{"webhook-capabilities": []byte("kept")})
	i.settle(i.replica())
	if string(i.secret().Data["webhook-capabilities"]) != "kept" {
		t.Error("the data is gone")
	}
}

func TestUnreadableKeysAreKept(t *testing.T) {
	i := newInstallation(t, map[string][]byte{keyring.SecretKey: []byte(`{"current":"SECRET"}`)})
	_, err := i.replica().Reconcile(t.Context(), ctrl.Request{})
	if err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("got error %v", err)
	}
	if string(i.secret().Data[keyring.SecretKey]) != `{"current":"SECRET"}` {
		t.Error("they are overwritten")
	}
}

// An earlier release had one certificate, for ten years and all names. Clients that trust it have time to learn of the next one.
func TestUpgradeFromAnEarlierRelease(t *testing.T) {
	now := time.Now()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kube-imds"}, NotBefore: now, NotAfter: now.Add(10 * LongestTerm),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	old, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	text := cabundle.Bundle{old}.PEM()
	i := newInstallation(t, map[string][]byte{corev1.TLSCertKey: text, BundleKey: text, corev1.TLSPrivateKeyKey: pemOf(t, key)})
	replica := i.replica()
	before := i.settle(replica)
	i.want(before, old, nil)
	if rank := i.signer(replica, before); rank != 0 {
		t.Errorf("signed by certificate %d of the bundle", rank)
	}
	for _, name := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if _, there := i.secret().Data[name]; there {
			t.Errorf("%s remains", name)
		}
	}
	i.now = i.now.Add(ahead)
	after := i.settle(replica)
	i.want(after, before[1], nil, old)
	if rank := i.signer(replica, after); rank != 0 {
		t.Errorf("signed by certificate %d of the bundle", rank)
	}
	i.now = i.now.Add(Keep)
	if i.settle(replica).Find(cabundle.KeyID(old)) != nil {
		t.Error("the old certificate stays")
	}
}

func TestNoKeyIsCached(t *testing.T) {
	i := newInstallation(t, map[string][]byte{"webhook-capabilities": []byte("kept"), corev1.TLSPrivateKeyKey: nil})
	i.settle(i.replica())
	secret := i.secret()
	secret.Data[corev1.TLSPrivateKeyKey], secret.Data[corev1.TLSCertKey] = []byte("key"), []byte("certificate")
	stripped, err := StripKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	data := stripped.(*corev1.Secret).Data
	if len(data) != 2 || len(data[BundleKey]) == 0 || len(data["webhook-capabilities"]) == 0 {
		t.Errorf("%d entries are cached", len(data))
	}
	for name, value := range data {
		if bytes.Contains(value, []byte("rivate")) {
			t.Errorf("%s has a key", name)
		}
	}
}

func TestInvalidPoliciesAreRefused(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]keyring.Policy{
		"too long":                       {Every: LongestTerm + 1},
		"zero":                           {},
		"published longer than it signs": {Every: time.Hour, Ahead: time.Hour + 1},
		"negative time ahead":            {Every: time.Hour, Ahead: -1},
	} {
		if Check(policy) == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
	if err := Check(keyring.Policy{Every: LongestTerm, Ahead: ahead}); err != nil {
		t.Error(err)
	}
}

// Two replicas that advance the same ring at once must not both write: the later one would drop the key that the first has
// published.
func TestReplicaThatReadAnOlderRingDoesNotWrite(t *testing.T) {
	i := newInstallation(t, nil)
	i.settle(i.replica())
	i.change(func(secret *corev1.Secret) {
		secret.Annotations = map[string]string{keyring.RevokeAnnotation: keyring.CurrentKey}
	})
	late := i.replica()
	late.live = staleReader{i.secret()}
	i.settle(i.replica())
	before := i.secret()
	result, err := late.Reconcile(t.Context(), ctrl.Request{})
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("got %+v, error %v, want a retry", result, err)
	}
	if after := i.secret(); !bytes.Equal(after.Data[keyring.SecretKey], before.Data[keyring.SecretKey]) {
		t.Error("the older ring was written over the newer one")
	}
}

// staleReader returns a former version of a Secret.
type staleReader struct{ secret *corev1.Secret }

func (s staleReader) Get(_ context.Context, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	s.secret.DeepCopyInto(into.(*corev1.Secret))
	return nil
}

func (s staleReader) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestRetiredCertificateStaysUntilItsLeavesExpire(t *testing.T) {
	i := newInstallation(t, nil)
	replica := i.replica()
	first := i.settle(replica)[0]
	i.now = i.now.Add(every)
	leaf, err := replica.Sign(t.Context(), &x509.Certificate{DNSNames: domains[:1], PublicKey: newKey(t).Public()})
	if err != nil {
		t.Fatal(err)
	}
	if bundle := i.settle(replica); bundle[0].Equal(first) {
		t.Fatal("the first certificate was not rotated away")
	}
	i.now = leaf.NotAfter
	if bundle := i.settle(replica); bundle.SignerOf(leaf) < 0 {
		t.Error("a valid leaf has no authority in the bundle")
	}
}

// A key that waits and may not sign for what the installation now has is replaced, once, so that a rotation leads to one that may.
func TestWaitingKeyMayBeTooNarrow(t *testing.T) {
	i := newInstallation(t, nil)
	before := i.settle(i.replica())
	wider := i.replica()
	wider.Domains = append(slices.Clone(domains), "vault.azure.net")
	after := i.settle(wider)
	i.want(after, before[0], nil)
	if Permits(after[0], "orders.vault.azure.net") || !Permits(after[1], "orders.vault.azure.net") || after[1].Equal(before[1]) {
		t.Errorf("permitted domains = %v and %v", after[0].PermittedDNSDomains, after[1].PermittedDNSDomains)
	}
	generation := i.secret().ResourceVersion
	i.settle(i.replica(), wider)
	if i.secret().ResourceVersion != generation {
		t.Error("replicas with fewer and with more domains do not agree")
	}
}
