package slim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// megabyte returns the largest metadata that the API server accepts.
func megabyte(namespace string) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{
		Namespace: namespace, Name: "orders", UID: "uid", ResourceVersion: "7", Labels: map[string]string{},
		Annotations: map[string]string{
			v1alpha1.IdentityAnnotation: strings.Repeat("a,", 60<<10), v1alpha1.UserDataAnnotation: strings.Repeat("u", 100<<10),
			"other": strings.Repeat("o", 30<<10),
		},
		ManagedFields:   []metav1.ManagedFieldsEntry{{Manager: "kubectl", FieldsV1: metav1.NewFieldsV1(strings.Repeat("f", 100<<10))}},
		Finalizers:      []string{strings.Repeat("f", 100<<10)},
		OwnerReferences: []metav1.OwnerReference{{Name: strings.Repeat("o", 100<<10)}},
	}
	for i := range 8000 {
		meta.Labels[fmt.Sprintf("%d.example.com/name", i)] = strings.Repeat("l", 63)
	}
	return meta
}

func metadata(namespace string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: megabyte(namespace)}
}

func hugePod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: megabyte("shop")}
	pod.Spec.ServiceAccountName, pod.Spec.HostNetwork = "orders", true
	pod.Spec.Volumes = append(make([]corev1.Volume, 10_000), build.IssuerToken())
	pod.Spec.Tolerations = make([]corev1.Toleration, 10_000)
	pod.Spec.Containers = []corev1.Container{
		{Image: strings.Repeat("i", 100<<10), Ports: make([]corev1.ContainerPort, 200)}, {Ports: make([]corev1.ContainerPort, 10_000)},
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Message: strings.Repeat("m", 100<<10)}}
	return pod
}

func hugeService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: megabyte("shop"),
		Spec:       corev1.ServiceSpec{Selector: megabyte("").Labels, Ports: make([]corev1.ServicePort, 10_000)},
		Status:     corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: make([]corev1.LoadBalancerIngress, 10_000)}},
	}
}

// A namespace's editor can create objects of a megabyte and a half.
func TestHugeObjectsAreBounded(t *testing.T) {
	t.Parallel()
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: megabyte("")}
	identity.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Message: strings.Repeat("m", 100<<10)}, {Type: "Other"}, {Type: v1alpha1.ConditionFederated, Message: strings.Repeat("m", 100<<10)}}
	for name, test := range map[string]struct {
		transform func(any) (any, error)
		object    metav1.Object
		most      int
	}{
		"ServiceAccount": {Metadata, metadata("shop"), 17 << 10},
		"namespace":      {Metadata, metadata(""), 1 << 10},
		"pod":            {Pod, hugePod(), 72 << 10},
		"Service":        {Service, hugeService(), 32 << 10},
		"identity":       {Identity, identity, 6 << 10},
		"binding":        {Binding, &v1alpha1.IdentityBinding{ObjectMeta: megabyte("shop")}, 1 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slim, err := test.transform(test.object)
			if err != nil {
				t.Fatal(err)
			}
			kept, err := json.Marshal(slim)
			if err != nil {
				t.Fatal(err)
			}
			if len(kept) > test.most {
				t.Errorf("keeps %d bytes: %.500s", len(kept), kept)
			}
			object := slim.(metav1.Object)
			if object.GetName() != "orders" || object.GetUID() != "uid" || object.GetResourceVersion() != "7" {
				t.Errorf("another object: %.500s", kept)
			}
		})
	}
}

// Cut values must be refused, not used.
func TestCutValuesAreRefused(t *testing.T) {
	t.Parallel()
	account, _ := Metadata(metadata("shop"))
	namespace, _ := Metadata(metadata(""))
	pod, _ := Pod(hugePod())
	for name, principal := range map[string]grant.Principal{
		"ServiceAccount's annotation": {ServiceAccountAnnotations: account.(metav1.Object).GetAnnotations()},
		"pod's annotation":            {PodAnnotations: pod.(metav1.Object).GetAnnotations()},
		"namespace's labels":          {NamespaceLabels: namespace.(metav1.Object).GetLabels()},
	} {
		decided, _ := grant.Decide(principal, nil, nil)
		if denied := decided.Denied(); denied == nil || denied.Reason != grant.ReasonTooLarge {
			t.Errorf("%s: got %v, want a refusal", name, denied)
		}
	}
	if !pod.(*corev1.Pod).Spec.HostNetwork {
		t.Error("the pod's host network is lost")
	}
}

func TestMetadataKeepsTheInputOfGrants(t *testing.T) {
	t.Parallel()
	meta := metav1.ObjectMeta{
		Name: "orders", UID: "uid", ResourceVersion: "7", Labels: map[string]string{"team": "shop"},
		Annotations: map[string]string{v1alpha1.IdentityAnnotation: "orders", "other": "x"},
	}
	for namespace, want := range map[string]metav1.ObjectMeta{
		"":     {Name: "orders", UID: "uid", ResourceVersion: "7", Labels: meta.Labels},
		"shop": {Namespace: "shop", Name: "orders", UID: "uid", ResourceVersion: "7", Annotations: map[string]string{v1alpha1.IdentityAnnotation: "orders"}},
	} {
		meta.Namespace = namespace
		got, err := Metadata(&metav1.PartialObjectMetadata{ObjectMeta: meta})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.(*metav1.PartialObjectMetadata).ObjectMeta); diff != "" {
			t.Errorf("metadata (-want +got):\n%s", diff)
		}
	}
}

// Caches pass tombstones to their transforms too.
// The signer compares the condition Federated with the next answer of Entra ID.
func TestIdentityKeepsWhatDecides(t *testing.T) {
	t.Parallel()
	identity := &v1alpha1.ManagedIdentity{}
	for _, kind := range []string{"Other", v1alpha1.ConditionReady, v1alpha1.ConditionFederated} {
		identity.Status.Conditions = append(identity.Status.Conditions, metav1.Condition{Type: kind, Message: strings.Repeat("m", v1alpha1.MaxFederatedMessage)})
	}
	kept, err := Identity(identity)
	if err != nil {
		t.Fatal(err)
	}
	conditions := kept.(*v1alpha1.ManagedIdentity).Status.Conditions
	if len(conditions) != 2 || conditions[0].Type != v1alpha1.ConditionReady || len(conditions[1].Message) != v1alpha1.MaxFederatedMessage {
		t.Errorf("%d conditions are kept, the last one with a message of %d bytes", len(conditions), len(conditions[len(conditions)-1].Message))
	}
}

func TestOtherObjectsAreKept(t *testing.T) {
	t.Parallel()
	for name, transform := range map[string]func(any) (any, error){
		"metadata": Metadata, "pod": Pod, "service": Service, "identity": Identity, "binding": Binding,
	} {
		if got, err := transform("other"); err != nil || got != "other" {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
}
