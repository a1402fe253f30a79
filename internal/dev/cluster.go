package dev

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// Pod holds the defaults of the pod that asks, for what the files do not say.
type Pod struct {
	Namespace       string
	NamespaceLabels map[string]string
	ServiceAccount  string
}

// cluster is what the files describe, completed as a cluster would: a pod that runs on a node, and identities with IDs.
type cluster struct {
	identities []*v1alpha1.ManagedIdentity
	bindings   []v1alpha1.IdentityBinding
	services   []corev1.Service
	pod        *corev1.Pod
	node       *corev1.Node

	namespaceLabels map[string]string
}

var _ grant.Reader = (*cluster)(nil)

// newCluster completes the objects of the files. started is when the pod was created if it does not say so itself.
func newCluster(objects *manifest.Manifest, defaults Pod, ids identifier.Defaults, started time.Time) (*cluster, error) {
	c := &cluster{identities: objects.Identities, bindings: objects.Bindings, namespaceLabels: defaults.NamespaceLabels}
	if len(c.identities) == 0 {
		c.identities = []*v1alpha1.ManagedIdentity{generatedIdentity()}
	}
	if err := resolve(c.identities, ids); err != nil {
		return nil, err
	}
	c.pod, c.node = c.completePod(objects.Pod, defaults, started), &corev1.Node{}
	if objects.Node != nil {
		c.node = objects.Node.DeepCopy()
		cordon(c.node)
	}
	for _, service := range objects.Services {
		if service.Namespace == c.pod.Namespace {
			c.services = append(c.services, service)
		}
	}
	return c, nil
}

// name is the pod's name if the files have no Pod.
const name = "dev"

func (c *cluster) completePod(pod *corev1.Pod, defaults Pod, started time.Time) *corev1.Pod {
	pod = pod.DeepCopy()
	if pod == nil {
		pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: defaults.Namespace}}
	}
	pod.UID = cmp.Or(pod.UID, types.UID(uuid.NewSHA1(uuid.NameSpaceURL, []byte("kube-imds.io/"+pod.Name)).String()))
	pod.Spec.ServiceAccountName = cmp.Or(pod.Spec.ServiceAccountName, defaults.ServiceAccount)
	if pod.CreationTimestamp.IsZero() {
		pod.CreationTimestamp = metav1.NewTime(started)
	}
	if len(pod.Status.PodIPs) == 0 {
		pod.Status.PodIPs = []corev1.PodIP{{IP: cmp.Or(pod.Status.PodIP, defaultIP)}}
	}
	if len(c.bindings) == 0 && pod.Annotations[v1alpha1.IdentityAnnotation] == "" {
		// Nothing says what the pod asks for, so it asks for all identities, and the first one is the default.
		var names []string
		for _, identity := range c.identities {
			names = append(names, identity.Name)
		}
		pod.Annotations = maps.Clone(pod.Annotations)
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[v1alpha1.IdentityAnnotation] = strings.Join(names, ",")
	}
	return pod
}

// cordon adds the taint that a cluster's node controller adds to an unschedulable Node.
func cordon(node *corev1.Node) {
	isCordon := func(taint corev1.Taint) bool { return taint.Key == corev1.TaintNodeUnschedulable }
	if node.Spec.Unschedulable && !slices.ContainsFunc(node.Spec.Taints, isCordon) {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
	}
}

// ServiceAccount returns metadata without annotations: the files have no ServiceAccounts.
func (c *cluster) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}, nil
}

// Namespace returns the labels of the namespace, with its name as every API server adds it.
func (c *cluster) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	labels := map[string]string{corev1.LabelMetadataName: name}
	maps.Copy(labels, c.namespaceLabels)
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, nil
}

// Bindings returns the bindings of a namespace.
func (c *cluster) Bindings(_ context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	var found []v1alpha1.IdentityBinding
	for _, binding := range c.bindings {
		if binding.Namespace == namespace {
			found = append(found, binding)
		}
	}
	return found, nil
}

// Identity returns an identity.
func (c *cluster) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	return grant.Among(c.identities...)(name)
}

// generatedIdentity returns an identity that admits every pod.
func generatedIdentity() *v1alpha1.ManagedIdentity {
	return &v1alpha1.ManagedIdentity{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ManagedIdentitySpec{
			Type: v1alpha1.UserAssigned, TokenSource: v1alpha1.TokenSourceLocal,
			AssumableBy: []v1alpha1.Admission{{Namespaces: []string{"*"}, ServiceAccounts: []string{"*"}}},
		},
	}
}

// resolve sets the IDs of identities as the controller does, and makes them ready.
func resolve(identities []*v1alpha1.ManagedIdentity, defaults identifier.Defaults) error {
	var before []identifier.Set
	for i, identity := range identities {
		ids := identifier.Resolve(identity, defaults)
		if rival := slices.IndexFunc(before, ids.Conflicts); rival >= 0 {
			return fmt.Errorf("the ManagedIdentities %q and %q have one of the same IDs: give one of them others",
				identities[rival].Name, identities[i].Name)
		}
		before = append(before, ids)
		ids.WriteTo(&identity.Status)
		apimeta.SetStatusCondition(&identity.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonResolved,
		})
	}
	return nil
}
