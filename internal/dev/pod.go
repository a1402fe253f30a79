// Package dev is a whole installation in one process, without a cluster: the identities of a file, the pod that asks for
// tokens of theirs, its IMDS, the issuer that signs them, and the documents by which they are verified.
package dev

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/identifier"
)

// Pod is who the emulated pod is.
type Pod struct {
	Namespace       string
	NamespaceLabels map[string]string
	ServiceAccount  string
}

// principal is the pod as grants know it. Without bindings it asks by annotation for all identities, in the order of the
// file: the first is the default.
func (p Pod) principal(objects *manifest.Manifest) grant.Principal {
	principal := grant.Principal{
		Namespace: p.Namespace, ServiceAccount: p.ServiceAccount,
		// As every API server labels every namespace.
		NamespaceLabels: map[string]string{corev1.LabelMetadataName: p.Namespace},
	}
	maps.Copy(principal.NamespaceLabels, p.NamespaceLabels)
	if len(objects.Bindings) == 0 {
		var names []string
		for _, identity := range objects.Identities {
			names = append(names, identity.Name)
		}
		principal.PodAnnotations = map[string]string{v1alpha1.IdentityAnnotation: strings.Join(names, ",")}
	}
	return principal
}

// Generated is one identity that admits everybody, where there is no file.
func Generated() *manifest.Manifest {
	return &manifest.Manifest{Identities: []*v1alpha1.ManagedIdentity{{
		ObjectMeta: metav1.ObjectMeta{Name: "dev"},
		Spec: v1alpha1.ManagedIdentitySpec{
			Type: v1alpha1.UserAssigned, TokenSource: v1alpha1.TokenSourceLocal,
			AssumableBy: []v1alpha1.Admission{{NamespaceSelector: &metav1.LabelSelector{}, ServiceAccounts: []string{"*"}}},
		},
	}}}
}

// resolve gives identities their IDs, as the controller does, and makes them ready.
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

// warn tells of what will be refused.
func warn(logger *slog.Logger, granted grant.Grant) {
	for _, refusal := range granted.Refusals {
		logger.Warn("an identity is not granted", "identity", refusal.Identity, "reason", refusal.Reason, "message", refusal.Message)
	}
	if _, refusal := granted.Select(grant.Selector{}); refusal != nil && refusal.Identity == "" {
		logger.Warn("requests that name no identity are refused", "reason", refusal.Reason, "message", refusal.Message)
	}
	for _, identity := range granted.Identities {
		if identity.Spec.TokenSource != v1alpha1.TokenSourceLocal {
			logger.Warn("an identity has no tokens here: only Local ones are signed without a cluster",
				"identity", identity.Name, "tokenSource", identity.Spec.TokenSource)
		}
	}
}
