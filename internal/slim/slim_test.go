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
	"github.com/kube-imds/kube-imds/internal/grant"
)

const (
	ourSigner = "kube-imds.io/issuer-serving"
	megabyte  = 1 << 20
	// mostKept is more than anything that is kept may have, in bytes of JSON.
	mostKept = 40 << 10
)

// huge is metadata as large as the API server takes it, made by somebody who means harm.
func huge() metav1.ObjectMeta {
	labels := map[string]string{}
	for i := range 4000 {
		labels[fmt.Sprintf("%s.example/%d", strings.Repeat("l", 200), i)] = strings.Repeat("v", 63)
	}
	return metav1.ObjectMeta{
		Namespace: "shop", Name: "cashier", UID: "uid", ResourceVersion: "7", Generation: 3,
		CreationTimestamp: metav1.NewTime(time.Unix(1_700_000_000, 0)), DeletionTimestamp: new(metav1.NewTime(time.Unix(1_700_000_001, 0))),
		Labels:          labels,
		Annotations:     map[string]string{v1alpha1.IdentityAnnotation: "orders", "other": strings.Repeat("a", 250<<10)},
		Finalizers:      []string{strings.Repeat("f", megabyte)},
		ManagedFields:   []metav1.ManagedFieldsEntry{{FieldsV1: metav1.NewFieldsV1(`"` + strings.Repeat("m", megabyte) + `"`)}},
		OwnerReferences: []metav1.OwnerReference{{Name: strings.Repeat("o", megabyte)}},
	}
}

// What is kept of an object does not grow with it.
func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		transform func(any) (any, error)
		object    any
	}{
		"a ServiceAccount":       {ServiceAccount, &metav1.PartialObjectMetadata{ObjectMeta: huge()}},
		"a typed ServiceAccount": {ServiceAccount, &corev1.ServiceAccount{ObjectMeta: huge()}},
		"a Namespace":            {Namespace, &metav1.PartialObjectMetadata{ObjectMeta: huge()}},
		"an identity":            {Bare, &v1alpha1.ManagedIdentity{ObjectMeta: huge()}},
		"a request to another signer": {CertificateSigningRequest(ourSigner), &certificatesv1.CertificateSigningRequest{ObjectMeta: huge(),
			Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: "other", Request: make([]byte, megabyte), Username: strings.Repeat("u", megabyte)}}},
		"a large request to ours": {CertificateSigningRequest(ourSigner), &certificatesv1.CertificateSigningRequest{ObjectMeta: huge(),
			Spec:   certificatesv1.CertificateSigningRequestSpec{SignerName: ourSigner, Request: make([]byte, megabyte)},
			Status: certificatesv1.CertificateSigningRequestStatus{Certificate: make([]byte, megabyte)}}},
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
				t.Errorf("%d bytes are kept", len(text))
			}
			meta, created := kept.(metav1.Object), kept.(metav1.Object).GetCreationTimestamp()
			if meta.GetName() != "cashier" || meta.GetUID() != "uid" || meta.GetResourceVersion() != "7" || meta.GetGeneration() != 3 ||
				meta.GetDeletionTimestamp() == nil || created.IsZero() {
				t.Errorf("what tells objects apart is gone: %s", text)
			}
		})
	}
}

func TestWhatDecidesIsKept(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("o", grant.MaxAnnotation)
	for name, test := range map[string]struct {
		transform   func(any) (any, error)
		labels      map[string]string
		annotations map[string]string
		wantLabels  map[string]string
		wantNotes   map[string]string
	}{
		"what a ServiceAccount asks for": {transform: ServiceAccount,
			labels: map[string]string{"team": "retail"}, annotations: map[string]string{v1alpha1.IdentityAnnotation: "orders", "other": "x"},
			wantNotes: map[string]string{v1alpha1.IdentityAnnotation: "orders"}},
		"that it asks for nothing": {transform: ServiceAccount,
			annotations: map[string]string{v1alpha1.IdentityAnnotation: ""}, wantNotes: map[string]string{v1alpha1.IdentityAnnotation: ""}},
		"as much as may be asked for": {transform: ServiceAccount,
			annotations: map[string]string{v1alpha1.IdentityAnnotation: long}, wantNotes: map[string]string{v1alpha1.IdentityAnnotation: long}},
		"that too much is asked for": {transform: ServiceAccount,
			annotations: map[string]string{v1alpha1.IdentityAnnotation: long + long}, wantNotes: map[string]string{v1alpha1.IdentityAnnotation: long + "o"}},
		"the labels of a namespace": {transform: Namespace,
			labels: map[string]string{"team": "retail"}, annotations: map[string]string{"other": "x"}, wantLabels: map[string]string{"team": "retail"}},
		"that a namespace has too many": {transform: Namespace,
			labels: map[string]string{"team": strings.Repeat("v", maxLabels)}, wantLabels: map[string]string{grant.LabelsCut: ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: test.labels, Annotations: test.annotations}}
			if _, err := test.transform(object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.wantLabels, object.Labels) + cmp.Diff(test.wantNotes, object.Annotations); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
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
		t.Errorf("it is another, with the certificate %q (-want +got)\n%s", csr.Status.Certificate, diff)
	}
	csr.Status.Certificate = []byte("certificate")
	if _, err := transform(csr); err != nil || len(csr.Status.Certificate) == 0 {
		t.Errorf("that it was signed is not kept: %v", err)
	}
}

func TestWhatHasNoMetadataIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, transform := range []func(any) (any, error){ServiceAccount, Namespace, Bare, CertificateSigningRequest(ourSigner)} {
		if got, err := transform("text"); err != nil || got != "text" {
			t.Errorf("%v, %v", got, err)
		}
	}
}
