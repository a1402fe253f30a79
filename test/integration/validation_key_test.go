package integration

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

func TestWrongSigningKeyIsRefused(t *testing.T) {
	t.Parallel()
	needServer(t)
	for _, test := range []struct {
		name    string
		edit    func(*v1alpha1.SigningKey)
		message string
	}{
		{
			"a name that is not its ID", func(key *v1alpha1.SigningKey) { key.Name = strings.Repeat("0", 40) },
			"metadata.name must be spec.keyID",
		},
		{
			"an ID that is no thumbprint", func(key *v1alpha1.SigningKey) { key.Name, key.Spec.KeyID = "mine", "mine" },
			"spec.keyID in body should match '^[0-9a-f]{40}$'",
		},
		{
			"an ID that is too long", func(key *v1alpha1.SigningKey) {
				key.Name = strings.Repeat("0", 41)
				key.Spec.KeyID = key.Name
			}, "spec.keyID: Too long",
		},
		{
			"an end before its beginning",
			func(key *v1alpha1.SigningKey) {
				key.Spec.NotBefore, key.Spec.NotAfter = key.Spec.NotAfter, key.Spec.NotBefore
			},
			"notAfter must be later than notBefore",
		},
		{
			"an end at its beginning", func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = key.Spec.NotBefore },
			"notAfter must be later than notBefore",
		},
		{"no end", func(key *v1alpha1.SigningKey) { key.Spec.NotAfter = metav1.Time{} }, "spec.notAfter"},
		{"no node", func(key *v1alpha1.SigningKey) { key.Spec.NodeName = "" }, "spec.nodeName"},
		{"no UID of the node", func(key *v1alpha1.SigningKey) { key.Spec.NodeUID = "" }, "spec.nodeUID"},
		{
			"a key of another type", func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.KeyType = "EC" },
			`spec.publicKey.kty: Unsupported value: "EC": supported values: "RSA"`,
		},
		{
			"a short modulus", func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Modulus = strings.Repeat("A", 341) },
			"spec.publicKey.n in body should be at least 342 chars long",
		},
		{
			"a long modulus", func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Modulus = strings.Repeat("A", 685) },
			"spec.publicKey.n: Too long",
		},
		{
			"a modulus with padding", func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Modulus += "==" },
			"spec.publicKey.n in body should match '^[A-Za-z0-9_-]+$'",
		},
		{
			"another exponent", func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Exponent = "Aw" },
			`spec.publicKey.e: Unsupported value: "Aw": supported values: "AQAB"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			key := newKey(t, "node", "uid", time.Now(), time.Hour)
			taken(t, key.DeepCopy())
			test.edit(key)
			refused(t, key, test.message)
		})
	}
}

func TestSigningKeyCannotBeChanged(t *testing.T) {
	t.Parallel()
	needServer(t)
	node := create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "unchanged"}})
	key := newKey(t, node.Name, string(node.UID), time.Now(), time.Hour)
	if err := admin.Create(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	before := key.DeepCopy()
	key.Spec.NotAfter = metav1.NewTime(key.Spec.NotAfter.Add(time.Hour))
	err := admin.Patch(t.Context(), key, client.MergeFrom(before))
	if err == nil || !strings.Contains(err.Error(), "a signing key cannot be changed: register another") {
		t.Errorf("its end is moved: %v", err)
	}
}

// newKey is the public half of a new key, as the issuer of a node registers it.
func newKey(t *testing.T, node, uid string, now time.Time, validity time.Duration) *v1alpha1.SigningKey {
	t.Helper()
	key, err := token.NewKey(now, validity)
	if err != nil {
		t.Fatal(err)
	}
	return key.Registration(node, uid)
}
