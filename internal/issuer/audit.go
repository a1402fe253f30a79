package issuer

import (
	"fmt"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// Outcomes of a request, in the audit log and in metrics.
const (
	outcomeGranted     = "granted"
	outcomeRefused     = "refused"
	outcomeUnavailable = "unavailable"
)

// outcome returns the outcome of a request, and one word for why it failed.
func (x *exchange) outcome() (outcome, reason string) {
	switch {
	case x.failure == nil:
		return outcomeGranted, ""
	case x.failure.Temporary():
		return outcomeUnavailable, x.failure.Reason
	}
	return outcomeRefused, x.failure.Reason
}

// audit writes a line to the audit log, unless the pod has written too many. It never writes a token.
func (s *Server) audit(e endpoint, x *exchange) {
	outcome, reason := x.outcome()
	suppressed, allowed := s.lines.take(x, s.Now())
	if !allowed {
		if x.failure == nil {
			reason = "Granted"
		}
		suppressedLines.WithLabelValues(reason).Inc()
		return
	}
	values := append(make([]any, 0, maxValues),
		"namespace", x.workload.Namespace, "pod", x.workload.Pod.Name, "podUID", x.workload.Pod.UID,
		"serviceAccount", x.workload.ServiceAccount.Name, "node", s.NodeName, "source", x.source, "outcome", outcome,
	)
	if e.issues() {
		values = x.issued.appendValues(values, x.failure)
	}
	if e.name == nameEntra {
		values = append(values, "traceID", x.traceID())
	}
	if x.failure != nil {
		values = append(values, "reason", reason, "detail", x.failure.Detail)
	}
	if suppressed > 0 {
		values = append(values, "suppressed", suppressed)
	}
	for i, value := range values {
		if text, ok := value.(string); ok && len(text) > maxValue {
			values[i] = cut(text)
		}
	}
	s.Log.Info(e.name, values...)
}

// maxValues is the room for the keys and values of a line.
const maxValues = 32

// appendValues appends what the audit log says of a token beyond the pod.
func (i *issued) appendValues(values []any, failed *failure.Failure) []any {
	values = append(values, "identity", i.identity, "clientID", i.clientID, "resource", i.resource)
	if failed == nil {
		values = append(values, "tokenID", i.minted.ID, "expires", i.minted.Expiry.UTC().Format(time.RFC3339), "cached", i.minted.Cached)
	}
	return values
}

// maxValue bounds a value in a line, in bytes. Applications and editors of namespaces choose some of them.
const maxValue = 1024

// cut shortens a text that is too long, and says so.
func cut(text string) string {
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxValue], ""), len(text))
}
