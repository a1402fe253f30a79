// Package explain explains the grant of a pod to people: what it asks for and where, what it is granted, and each refusal with
// its way out. It decides with package grant, as the webhook, the issuer and the signer do.
package explain

import (
	"context"
	"errors"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Explanation explains the grant of the pods of one object. Its JSON is the output of kubectl imds explain.
type Explanation struct {
	// Kind, Namespace and Name are the object's.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`

	// ServiceAccount is the name of the pods' ServiceAccount.
	ServiceAccount string `json:"serviceAccount"`

	Injection Injection `json:"injection"`

	// Source is where the identities were asked for.
	Source grant.Source `json:"source"`

	// Default is the name of the identity for requests that select none; "" if there is none.
	Default string `json:"default,omitempty"`

	// Granted and Refused are in the order of the request.
	Granted []Granted `json:"granted"`
	Refused []Refused `json:"refused"`

	// Hints say what has no effect, and what to do.
	Hints []string `json:"hints,omitempty"`
}

// Granted is an identity that the pods may assume.
type Granted struct {
	Identity    string               `json:"identity"`
	ClientID    v1alpha1.GUID        `json:"clientID"`
	PrincipalID v1alpha1.GUID        `json:"principalID"`
	ResourceID  string               `json:"resourceID"`
	TokenSource v1alpha1.TokenSource `json:"tokenSource"`

	// NotReady is why Entra ID issues no tokens of it; "" if it does.
	NotReady string `json:"notReady,omitempty"`
}

// Refused is an identity that the pods may not assume, or the whole request if Identity is empty.
type Refused struct {
	Identity  string       `json:"identity,omitempty"`
	Reason    grant.Reason `json:"reason"`
	Message   string       `json:"message"`
	Temporary bool         `json:"temporary"`
}

// Explain explains the grant of a workload's pods.
func Explain(ctx context.Context, reader Reader, workload *Workload) (*Explanation, error) {
	pod, missing, err := grant.WithWorkloadIdentity(ctx, reader, reader.IdentityWithClientID, workload.Pod)
	if err != nil {
		return nil, err
	}
	namespace, err := reader.Namespace(ctx, pod.Namespace)
	if err != nil {
		return nil, err
	}
	if namespace == nil {
		return nil, fmt.Errorf("namespace %q does not exist", pod.Namespace)
	}
	decided, err := grant.Load(ctx, reader, pod, "")
	if errors.Is(err, grant.ErrNoServiceAccount) {
		return nil, fmt.Errorf("ServiceAccount %q does not exist in namespace %q", pod.Spec.ServiceAccountName, pod.Namespace)
	}
	if err != nil {
		return nil, err
	}
	explanation := &Explanation{
		Kind: workload.Kind, Namespace: pod.Namespace, Name: workload.Name, ServiceAccount: pod.Spec.ServiceAccountName,
		Injection: injectionOf(workload, namespace.Labels), Source: decided.Source,
		Granted: []Granted{}, Refused: []Refused{},
	}
	if missing != nil {
		explanation.refuse("", *missing)
	}
	explanation.addGrant(decided)
	explanation.Hints = hints(workload, explanation)
	return explanation, nil
}

func (e *Explanation) addGrant(decided grant.Grant) {
	for _, identity := range decided.Identities {
		e.Granted = append(e.Granted, Granted{
			Identity: identity.Name, ClientID: identity.Status.ClientID, PrincipalID: identity.Status.PrincipalID,
			ResourceID: identity.Status.ResourceID, TokenSource: identity.Spec.TokenSource, NotReady: notReady(identity),
		})
	}
	for _, refusal := range decided.Refusals {
		e.refuse(refusal.Identity, refusal)
	}
	if selected, refusal := decided.Select(grant.Selector{}); refusal == nil {
		e.Default = selected.Name
	} else if refusal.Identity == "" && decided.Denied() == nil {
		e.refuse("", *refusal)
	}
}

func (e *Explanation) refuse(identity string, refusal grant.Refusal) {
	e.Refused = append(e.Refused, Refused{identity, refusal.Reason, refusal.Message, refusal.Temporary()})
}

// notReady returns why a granted identity has no tokens: until Entra ID accepts it, it is granted and not ready.
func notReady(identity *v1alpha1.ManagedIdentity) string {
	ready := apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status == metav1.ConditionTrue {
		return ""
	}
	return ready.Message
}
