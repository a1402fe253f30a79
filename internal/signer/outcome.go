package signer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/federation"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// answerOutcome keeps what Entra answered. Issuers may not write to identities, whose IDs are in their status too.
func (s *Server) answerOutcome(request *http.Request, entry *entry) (any, error) {
	return struct{}{}, s.keepOutcome(request, entry)
}

func (s *Server) keepOutcome(request *http.Request, entry *entry) error {
	var told signerapi.OutcomeRequest
	err := s.read(request, entry, &told)
	entry.podUID = told.UID
	if err != nil {
		return err
	}
	if complaint := grant.CheckResource(told.Resource); complaint != "" {
		return failure.BadRequest(complaint)
	}
	if told.Code != 0 && !entra.Known(told.Code) {
		// An issuer chooses no text of a condition, and of its number only a known one.
		told.Code = -1
	}
	entry.resource = told.Resource
	identity, err := s.federated(request, entry, told.Pod, told.Identity)
	if err != nil {
		return err
	}
	return s.Outcomes.Keep(request.Context(), entry.issuer.Node.Name, identity, s.conditionOf(identity, told, entry), s.Now())
}

// tellUnpublished keeps that nothing is signed for an identity because no key is public.
func (s *Server) tellUnpublished(ctx context.Context, identity *v1alpha1.ManagedIdentity, entry *entry) {
	err := s.Outcomes.Keep(ctx, entry.issuer.Node.Name, identity, metav1.Condition{
		Type: v1alpha1.ConditionFederated, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotPublished, ObservedGeneration: identity.Generation,
		Message: "Entra ID was not asked, because no key of the federation issuer is public: " + s.Outcomes.Issuer.HowToPublish(),
	}, s.Now())
	if err != nil {
		// The next request tries again.
		s.Log.V(1).Info("the condition is not kept", "identity", identity.Name, "reason", err.Error())
	}
}

// conditionOf returns the condition Federated after an outcome.
func (s *Server) conditionOf(identity *v1alpha1.ManagedIdentity, told signerapi.OutcomeRequest, entry *entry) metav1.Condition {
	node, resource := entry.issuer.Node.Name, told.Resource
	if entra.AssertsServiceAccount(identity) {
		resource += fmt.Sprintf(" and ServiceAccount %s/%s", entry.pod.Namespace, entry.pod.Spec.ServiceAccountName)
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionFederated, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotFederated,
		ObservedGeneration: identity.Generation,
	}
	failed := &entra.Error{Code: told.Code}
	switch {
	case told.Unreachable:
		condition.Message = fmt.Sprintf("node %s got no answer from Entra ID for %s: check the node's way to the authority", node, resource)
	case told.Code == 0:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonFederated
		condition.Message = "Entra ID issues tokens of the identity"
	case told.Code < 0:
		condition.Message = fmt.Sprintf("Entra ID refused node %s a token for %s with an error that is not known here: see the issuer's log there",
			node, resource)
	default:
		condition.Message = fmt.Sprintf("Entra ID answered AADSTS%d to node %s for %s: %s. %s", told.Code, node, resource, failed.Meaning(),
			s.wayOut(failed.Cause(), identity, entry.pod))
	}
	condition.Message = condition.Message[:min(len(condition.Message), v1alpha1.MaxFederatedMessage)]
	return condition
}

// wayOut says what to do about an error of Entra's.
func (s *Server) wayOut(cause entra.Cause, identity *v1alpha1.ManagedIdentity, pod *corev1.Pod) string {
	switch cause {
	case entra.CauseCredential:
		return "Create it with: " + s.credentialOf(identity, pod).AzureCLI()
	case entra.CausePublication:
		if entra.AssertsServiceAccount(identity) {
			return "Entra ID must be able to read the discovery document and the keys of the cluster's issuer " + s.Outcomes.ClusterIssuer()
		}
		return "To put that right, " + s.Outcomes.Issuer.HowToPublish()
	case entra.CauseIdentity:
		return "Put spec.clientID and spec.tenantID right"
	case entra.CauseResource:
		return "Ask for a resource that exists in the tenant, or limit spec.allowedResources"
	case entra.CauseClock:
		return "Set the clocks of the cluster's nodes"
	case entra.CauseAlgorithm:
		return "Give the API server an RSA key to sign ServiceAccount tokens with, or set spec.entra.assertion to Identity"
	case entra.CausePolicy:
		return "Ask the tenant's administrator to exclude the identity from the policy"
	case entra.CauseLoad:
		return "It passes by itself"
	default:
		return "The trace ID for Microsoft's support is in the issuer's log"
	}
}

// credentialOf returns the federated credential that an identity needs for a pod.
func (s *Server) credentialOf(identity *v1alpha1.ManagedIdentity, pod *corev1.Pod) federation.Credential {
	audience := entra.AudienceFor(identity, s.Machine.Environment)
	if entra.AssertsServiceAccount(identity) {
		account := types.NamespacedName{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}
		return federation.CredentialOfAccount(s.Outcomes.ClusterIssuer(), account, identity, audience)
	}
	return s.Outcomes.Issuer.CredentialFor(identity, audience)
}

// Outcomes keeps the condition Federated of identities.
type Outcomes struct {
	// Issuer is the federation issuer, and ClusterIssuer returns the URL of the issuer of ServiceAccount tokens.
	Issuer        federation.Issuer
	ClusterIssuer func() string

	// Limits limits what each node can have written.
	Limits *NodeLimits

	// Reader reads identities from a cache.
	Reader client.Reader

	// Write writes a condition of an identity.
	Write func(ctx context.Context, identity string, condition metav1.Condition) error
}

// Keep writes a condition that a node's issuer has caused, unless the identity has it already. What a node can have written is limited.
func (o *Outcomes) Keep(ctx context.Context, node string, identity *v1alpha1.ManagedIdentity, condition metav1.Condition, now time.Time) error {
	var current v1alpha1.ManagedIdentity
	if err := o.Reader.Get(ctx, client.ObjectKeyFromObject(identity), &current); err != nil {
		return fmt.Errorf("read ManagedIdentity %s: %w", identity.Name, err)
	}
	conditions := slices.Clone(current.Status.Conditions)
	if !apimeta.SetStatusCondition(&conditions, condition) {
		return nil
	}
	if wait := o.Limits.take(node, now); wait > 0 {
		return failure.TooMany(wait)
	}
	if err := o.Write(ctx, identity.Name, *apimeta.FindStatusCondition(conditions, condition.Type)); err != nil {
		return fmt.Errorf("write the condition %s of ManagedIdentity %s: %w", condition.Type, identity.Name, err)
	}
	return nil
}

// fieldOwner owns the condition Federated.
const fieldOwner = client.FieldOwner("kube-imds-signer")

// ApplyCondition returns a function that applies one condition and nothing else of an identity's status.
func ApplyCondition(writer client.StatusClient) func(context.Context, string, metav1.Condition) error {
	return func(ctx context.Context, identity string, condition metav1.Condition) error {
		object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": []any{map[string]any{
			"type": condition.Type, "status": string(condition.Status), "reason": condition.Reason, "message": condition.Message,
			"observedGeneration": condition.ObservedGeneration, "lastTransitionTime": condition.LastTransitionTime.UTC().Format(time.RFC3339),
		}}}}}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ManagedIdentity"))
		object.SetName(identity)
		return writer.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(object), fieldOwner, client.ForceOwnership)
	}
}
