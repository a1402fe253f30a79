package signer

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/token"
)

// entry is what the audit log says of a request.
type entry struct {
	kind   string
	source string

	issuer   workload.Workload
	podUID   string
	pod      *corev1.Pod
	identity *v1alpha1.ManagedIdentity
	resource string

	signed  token.Signed
	failure *failure.Failure
}

// Outcomes of a request.
const (
	outcomeSigned      = "signed"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
)

// record writes an entry of the audit log and counts it. It never writes a token.
func (s *Server) record(e *entry) {
	line := []any{"node", e.issuer.Node.Name, "issuer", e.issuer.Pod.Name, "source", e.source, "podUID", e.podUID, "resource", e.resource}
	if e.pod != nil {
		line = append(line, "namespace", e.pod.Namespace, "pod", e.pod.Name, "serviceAccount", e.pod.Spec.ServiceAccountName)
	}
	if e.identity != nil {
		line = append(line, "identity", e.identity.Name, "clientID", string(e.identity.Status.ClientID))
	}
	if e.failure == nil {
		requests.WithLabelValues(e.kind, outcomeSigned, "").Inc()
		if e.signed.ID != "" {
			line = append(line, "tokenID", e.signed.ID, "keyID", e.signed.KeyID, "expires", e.signed.Expiry.UTC().Format(time.RFC3339))
		}
		s.Log.Info(e.kind, append(line, "outcome", outcomeSigned)...)
		return
	}
	outcome := outcomeRefused
	if e.failure.Temporary() {
		outcome = outcomeUnavailable
	}
	requests.WithLabelValues(e.kind, outcome, e.failure.Reason).Inc()
	if isUncounted(e.failure) && !s.Unauthenticated.AllowN(s.Now(), 1) {
		suppressedLines.Inc()
		return
	}
	s.Log.Info(e.kind, append(line, "outcome", outcome, "reason", e.failure.Reason, "detail", e.failure.Detail)...)
}

// isUncounted reports whether a request failed without counting for its node's limit, or because of that limit.
func isUncounted(f *failure.Failure) bool {
	return f.Reason == failure.ReasonUnauthenticated || f.Reason == failure.ReasonThrottled
}
