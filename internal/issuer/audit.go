package issuer

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/reply"
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
	line := entry{"token", d.source, d.workload, d.failure, []any{
		"identity", d.identity, "clientID", d.clientID, "resource", d.resource,
	}}
	reason, cached := "", false
	if d.failure == nil {
		cached = d.minted.Cached
		line.more = append(line.more, "tokenID", d.minted.ID,
			"expires", d.minted.Expiry.UTC().Format(time.RFC3339), "cached", cached)
	} else {
		reason = d.failure.Reason
	}
	requests.WithLabelValues(line.outcome(), reason, strconv.FormatBool(cached)).Inc()
	s.write(line)
}

// entry is a line for the audit log.
type entry struct {
	message string

	// source is the address that asked.
	source   string
	workload workload.Workload

	// failure is nil where something was granted.
	failure *reply.Failure

	// more are names and values.
	more []any
}

func (e entry) outcome() string {
	switch {
	case e.failure == nil:
		return outcomeGranted
	case e.failure.RetryAfter > 0:
		return outcomeUnavailable
	}
	return outcomeRefused
}

// write writes a line to the audit log, if who asks has not left too many.
func (s *Server) write(e entry) {
	missing, allowed := s.lines.take(e, s.Now())
	if !allowed {
		suppressedLines.WithLabelValues(e.reason()).Inc()
		return
	}
	values := append([]any{
		"namespace", e.workload.Namespace, "pod", e.workload.Pod.Name, "podUID", e.workload.Pod.UID,
		"serviceAccount", e.workload.ServiceAccount.Name, "node", s.NodeName, "source", e.source, "outcome", e.outcome(),
	}, e.more...)
	if e.failure != nil {
		values = append(values, "reason", e.failure.Reason, "detail", e.failure.Detail)
	}
	if missing > 0 {
		values = append(values, "suppressed", missing)
	}
	for i, value := range values {
		if text, ok := value.(string); ok {
			values[i] = cut(text)
		}
	}
	s.Log.Info(e.message, values...)
}

// reason is one word for metrics.
func (e entry) reason() string {
	if e.failure == nil {
		return "Granted"
	}
	return e.failure.Reason
}

// maxValue bounds what a value takes of a line, in bytes. Applications and namespaces' editors have a say in some.
const maxValue = 1024

// cut leaves out the end of a text that is too long, and says so.
func cut(text string) string {
	if len(text) <= maxValue {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:maxValue], ""), len(text))
}
