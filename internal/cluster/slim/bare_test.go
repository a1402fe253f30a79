package slim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	ourSigner = "kube-imds.io/issuer-serving"
	aMegabyte = 1 << 20
	// mostKept bounds each kept object, in bytes of JSON.
	mostKept = 40 << 10
)

// hugeMetadata returns the largest metadata that an attacker can store at the API server.
func hugeMetadata() metav1.ObjectMeta {
	labels := map[string]string{}
	for i := range 4000 {
		labels[fmt.Sprintf("%s.example/%d", strings.Repeat("l", 200), i)] = strings.Repeat("v", 63)
	}
	return metav1.ObjectMeta{
		Namespace: "shop", Name: "cashier", UID: "uid", ResourceVersion: "7", Generation: 3,
		CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000, 0)), DeletionTimestamp: new(metav1.NewTime(time.Unix(1_700_000_001, 0))),
		Labels:          labels,
		Annotations:     map[string]string{v1alpha1.IdentityAnnotation: "orders", "other": strings.Repeat("a", 250<<10)},
		Finalizers:      []string{strings.Repeat("f", aMegabyte)},
		ManagedFields:   []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(`"` + strings.Repeat("m", aMegabyte) + `"`)}},
		OwnerReferences: []metav1.OwnerReference{{Name: strings.Repeat("o", aMegabyte)}},
	}
}

// The kept part of an object does not grow with the object.
func TestObjectsInTheControllersCachesAreBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		transform func(any) (any, error)
		object    any
	}{
		"ConfigMap": {Digest("ca.crt"), &corev1.ConfigMap{ObjectMeta: hugeMetadata(),
			Data: map[string]string{"ca.crt": strings.Repeat("c", aMegabyte), "other": strings.Repeat("o", aMegabyte)}}},
		"identity": {Bare, &v1alpha1.ManagedIdentity{ObjectMeta: hugeMetadata()}},
		"request to another signer": {CertificateSigningRequest(ourSigner), &certificatesv1.CertificateSigningRequest{ObjectMeta: hugeMetadata(),
			Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: "other", Request: make([]byte, aMegabyte), Username: strings.Repeat("u", aMegabyte)}}},
		"large request to our signer": {CertificateSigningRequest(ourSigner), &certificatesv1.CertificateSigningRequest{ObjectMeta: hugeMetadata(),
			Spec:   certificatesv1.CertificateSigningRequestSpec{SignerName: ourSigner, Request: make([]byte, aMegabyte)},
			Status: certificatesv1.CertificateSigningRequestStatus{Certificate: make([]byte, aMegabyte)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, err := test.transform(test.object)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(kept)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > mostKept {
				t.Errorf("keeps %d bytes", len(text))
			}
			meta, created := kept.(metav1.Object), kept.(metav1.Object).GetCreationTimestamp()
			if meta.GetName() != "cashier" || meta.GetUID() != "uid" || meta.GetResourceVersion() != "7" || meta.GetGeneration() != 3 ||
				meta.GetDeletionTimestamp() == nil || created.IsZero() {
				t.Errorf("the object's key is lost: %s", text)
			}
		})
	}
}

func TestRequestsToOurSignersAreKept(t *testing.T) {
	t.Parallel()
	spec := certificatesv1.CertificateSigningRequestSpec{
		SignerName: ourSigner, Request: []byte("request"), Username: "issuer", Extra: map[string]certificatesv1.ExtraValue{"node": {"a"}},
	}
	csr := &certificatesv1.CertificateSigningRequest{Spec: *spec.DeepCopy()}
	transform := CertificateSigningRequest("other", ourSigner)
	if _, err := transform(csr); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, csr.Spec); diff != "" || len(csr.Status.Certificate) != 0 {
		t.Errorf("certificate %q (-want +got)\n%s", csr.Status.Certificate, diff)
	}
	csr.Status.Certificate = []byte("certificate")
	if _, err := transform(csr); err != nil || len(csr.Status.Certificate) == 0 {
		t.Errorf("the certificate's presence is lost: %v", err)
	}
}

func TestObjectsWithoutMetadataAreKept(t *testing.T) {
	t.Parallel()
	for _, transform := range []func(any) (any, error){Bare, CertificateSigningRequest(ourSigner)} {
		if got, err := transform("text"); err != nil || got != "text" {
			t.Errorf("got %v, error %v", got, err)
		}
	}
}

// The digest distinguishes texts, and keeps the owner.
func TestDigestDistinguishesTexts(t *testing.T) {
	t.Parallel()
	kept, err := Digest("ca.crt")(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "trust", Namespace: "shop", OwnerReferences: []metav1.OwnerReference{{Name: "hooks", UID: "uid"}}},
		Data:       map[string]string{"ca.crt": "bundle"},
	})
	want := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "trust", Namespace: "shop", OwnerReferences: []metav1.OwnerReference{{UID: "uid"}}},
		Data:       map[string]string{"ca.crt": DigestOf([]byte("bundle"))},
	}
	if diff := cmp.Diff(want, kept); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	if DigestOf([]byte("bundle")) == DigestOf([]byte("another")) {
		t.Error("another bundle has the same digest")
	}
	empty, err := Digest("ca.crt")(&corev1.ConfigMap{Data: map[string]string{"other": ""}})
	if err != nil || len(empty.(*corev1.ConfigMap).Data) != 0 {
		t.Errorf("ConfigMap without the key: got %v, error %v", empty, err)
	}
}
