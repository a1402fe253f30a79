package explain

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// Injection says whether pods get IMDS.
type Injection struct {
	// Asked reports whether the webhook injects new pods.
	Asked bool `json:"asked"`

	// Injected reports whether an existing pod was injected; nil if the object is not a pod.
	Injected *bool `json:"injected,omitempty"`

	// Reason is why.
	Reason string `json:"reason"`
}

// injectionOf repeats the conditions of the chart's MutatingWebhookConfiguration.
func injectionOf(workload *Workload, namespaceLabels map[string]string) Injection {
	asked, reason := isAsked(workload.Pod, namespaceLabels)
	injection := Injection{Asked: asked, Reason: reason}
	if workload.Exists {
		injection.Injected = new(install.IsInjected(workload.Pod))
	}
	return injection
}

func isAsked(pod *corev1.Pod, namespaceLabels map[string]string) (asked bool, reason string) {
	annotations := pod.Annotations
	switch {
	case annotations[v1alpha1.InjectAnnotation] == "false":
		return false, fmt.Sprintf("the annotation %s declines it", v1alpha1.InjectAnnotation)
	case annotations[v1alpha1.IdentityAnnotation] != "":
		return true, fmt.Sprintf("the pod has the annotation %s", v1alpha1.IdentityAnnotation)
	case annotations[v1alpha1.InjectAnnotation] == "true":
		return true, fmt.Sprintf("the pod has the annotation %s", v1alpha1.InjectAnnotation)
	case pod.Labels[workloadidentity.UseLabel] == "true":
		return true, fmt.Sprintf("the pod has the label %s", workloadidentity.UseLabel)
	case namespaceLabels[v1alpha1.InjectLabel] == v1alpha1.InjectEnabled:
		return true, fmt.Sprintf("the namespace has the label %s", v1alpha1.InjectLabel)
	}
	return false, "neither the pod nor its namespace asks for it"
}

// hints returns what has no effect and how to change that.
func hints(workload *Workload, explanation *Explanation) []string {
	var hints []string
	for _, name := range []string{v1alpha1.IdentityAnnotation, v1alpha1.InjectAnnotation} {
		if value := workload.Annotations[name]; value != "" && workload.Pod.Annotations[name] != value {
			hints = append(hints, fmt.Sprintf("the annotation %s of the %s itself has no effect: move it to the annotations of its pod template",
				name, workload.Kind))
		}
	}
	injection := explanation.Injection
	asks := explanation.Source != "" && explanation.Source != grant.SourceNone
	if asks && !injection.Asked && workload.Pod.Annotations[v1alpha1.InjectAnnotation] != "false" {
		hints = append(hints, fmt.Sprintf("pods get no IMDS: annotate them with %s: \"true\", or label the namespace with %s=%s",
			v1alpha1.InjectAnnotation, v1alpha1.InjectLabel, v1alpha1.InjectEnabled))
	}
	if injection.Asked && injection.Injected != nil && !*injection.Injected {
		hints = append(hints, "the pod was created before it was to be injected: recreate it")
	}
	for _, granted := range explanation.Granted {
		if granted.NotReady != "" {
			hints = append(hints, fmt.Sprintf("ManagedIdentity %q has no tokens now: %s", granted.Identity, granted.NotReady))
		}
	}
	return hints
}
