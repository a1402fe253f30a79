package issuer

import (
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/workload"
)

// decision is what is known of a request when it has been answered.
type decision struct {
	// source is the address that asked.
	source string

	workload workload.Workload
	identity string
	clientID string
	resource string
	minted   Minted
	failure  *reply.Failure
}

// Outcomes of a request.
const (
	outcomeGranted     = "granted"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
)

// record writes a decision to the audit log and counts it. It never writes the token.
func (s *Server) record(d decision) {
	who := []any{
		"namespace", d.workload.Namespace, "pod", d.workload.Pod.Name, "podUID", d.workload.Pod.UID,
		"serviceAccount", d.workload.ServiceAccount.Name, "node", s.NodeName,
		"identity", d.identity, "clientID", d.clientID, "resource", d.resource,
	}
	if d.failure == nil {
		requests.WithLabelValues(outcomeGranted, "", strconv.FormatBool(d.minted.Cached)).Inc()
		s.Log.Info("token", append(who, "outcome", outcomeGranted, "tokenID", d.minted.ID,
			"expires", d.minted.Expiry.UTC().Format(time.RFC3339), "cached", d.minted.Cached)...)
		return
	}
	outcome := outcomeRefused
	if d.failure.RetryAfter > 0 {
		outcome = outcomeUnavailable
	}
	requests.WithLabelValues(outcome, d.failure.Reason, "false").Inc()
	if isUncounted(d.failure) && !s.lines.allow(d.source, s.Now()) {
		suppressedLines.WithLabelValues(d.failure.Reason).Inc()
		return
	}
	s.Log.Info("token", append(who, "outcome", outcome, "reason", d.failure.Reason, "detail", d.failure.Detail, "source", d.source)...)
}
