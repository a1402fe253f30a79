package webhook

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// mutator injects pods that ask, and denies those that cannot have what they ask for.
type mutator struct {
	options Options
	lookup  lookup
	room    room
	parts   *partsCache
	events  events.EventRecorder
	log     logr.Logger

	// onlyLabelled means that pods ask by the label of azure-workload-identity and by nothing else.
	onlyLabelled bool
}

// admit decides about a pod.
func (m *mutator) admit(ctx context.Context, request requestHead, pod *corev1.Pod) admission.Response {
	if pod.Annotations[v1alpha1.InjectAnnotation] == "false" {
		return admission.Allowed("the pod declines the IMDS")
	}
	if _, found := pod.Annotations[corev1.MirrorPodAnnotationKey]; found {
		return admission.Allowed("the pod only shows a static pod, which its kubelet runs as it is")
	}
	labelled, elsewhere := m.options.WorkloadIdentity, []string(nil)
	if labelled && handledElsewhere(pod) {
		m.tellOfOtherWebhook(ctx, request, pod)
		labelled, elsewhere = false, []string{"kube-imds: " + otherWebhookActs}
		if m.onlyLabelled {
			return admission.Allowed("the webhook of azure-workload-identity acts on the pod").WithWarnings(elsewhere...)
		}
	}
	decided, workload, err := m.lookup.grant(ctx, pod, labelled)
	if err != nil {
		return m.record(request, pod, decided, admission.Errored(http.StatusInternalServerError, err), "Error")
	}
	denial := m.options.deny(pod, decided)
	if denial == nil {
		denial = denyExpiration(pod, workload)
	}
	if denial != nil {
		return m.record(request, pod, decided, admission.Denied("kube-imds: "+denial.message), denial.reason)
	}
	hosts, denial, err := m.azureHosts(ctx, pod, decided)
	if err != nil {
		return m.record(request, pod, decided, admission.Errored(http.StatusInternalServerError, err), "Error")
	}
	if denial != nil {
		return m.record(request, pod, decided, admission.Denied("kube-imds: "+denial.message), denial.reason)
	}
	authorities := m.options.CABundle(ctx)
	if authorities == nil {
		return m.record(request, pod, decided, admission.Errored(http.StatusServiceUnavailable,
			errors.New("kube-imds has no certificate yet: try again")), "NotReady")
	}
	made, err := plan{
		pod: pod, grant: decided, workload: workload, options: m.options, authorities: string(authorities), hosts: hosts,
	}.patch(m.parts)
	if err != nil {
		return m.record(request, pod, decided, admission.Errored(http.StatusInternalServerError, err), "Error")
	}
	response := admission.Patched("", made...)
	warnings := slices.Concat(elsewhere, m.options.warnings(pod, decided, workload), hosts.warnings)
	return m.record(request, pod, decided, response.WithWarnings(warnings...), "")
}

// otherWebhookActs is what a person must know of a pod with the volume of another webhook.
const otherWebhookActs = "the webhook of azure-workload-identity has acted on the pod, so kube-imds leaves that part to it: " +
	"uninstall it, or install kube-imds with workloadIdentity.enabled=false"

// tellOfOtherWebhook creates an event at the pod's ServiceAccount, because there is no pod yet.
func (m *mutator) tellOfOtherWebhook(ctx context.Context, request requestHead, pod *corev1.Pod) {
	if request.DryRun {
		return
	}
	account, err := m.lookup.metadata(ctx, "ServiceAccount", client.ObjectKey{Namespace: pod.Namespace, Name: accountOf(pod)})
	if err != nil {
		m.log.Error(err, "no event tells that another webhook acts on a pod")
		return
	}
	m.events.Eventf(account, nil, corev1.EventTypeWarning, "OtherWebhookActs", "Admit", "%s", otherWebhookActs)
}

// denyUnread denies a pod that is too large to be read.
func (m *mutator) denyUnread(request requestHead) admission.Response {
	unread := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: request.Namespace, Name: request.Name}}
	return m.record(request, unread, grant.Grant{}, admission.Denied("kube-imds: "+errTooLarge.Error()), "TooLarge")
}

// record writes the decision to the audit log and counts it.
func (m *mutator) record(request requestHead, pod *corev1.Pod, decided grant.Grant, response admission.Response, reason string) admission.Response {
	outcome := outcomeInjected
	if !response.Allowed {
		outcome = outcomeDenied
	}
	admissions.WithLabelValues(outcome, reason).Inc()
	if request.DryRun {
		return response
	}
	message := ""
	if response.Result != nil {
		message = response.Result.Message
	}
	m.log.Info("admission", "namespace", pod.Namespace, "pod", cut(podName(pod)), "serviceAccount", cut(pod.Spec.ServiceAccountName),
		"user", cut(request.UserInfo.Username), "identities", strings.Join(names(decided), ","), "source", decided.Source,
		"outcome", outcome, "reason", reason, "detail", cut(message))
	return response
}

// longest bounds a field in the audit log, in bytes: the pod is not validated yet.
const longest = 1024

func cut(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}

// podName returns the pod's name, or its generateName.
func podName(pod *corev1.Pod) string {
	if pod.Name == "" {
		return pod.GenerateName
	}
	return pod.Name
}

// names returns the names of the granted identities, the default first.
func names(decided grant.Grant) []string {
	var all []string
	for _, identity := range decided.Identities {
		if identity == decided.Default {
			all = append([]string{identity.Name}, all...)
		} else {
			all = append(all, identity.Name)
		}
	}
	return all
}

var _ http.Handler = (*mutator)(nil)
