package disruption

import (
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// autoscalerTaint has the time at which it was added as its value, in seconds since 1970 UTC.
const autoscalerTaint = "ToBeDeletedByClusterAutoscaler"

// TaintTimes remembers when the taints of one node were first seen, because most taints do not say when they were added.
type TaintTimes struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[taintKey]metav1.Time
}

// taintKey is a taint without its time.
type taintKey struct {
	key, value string
	effect     corev1.TaintEffect
}

// NewTaintTimes returns TaintTimes that have seen nothing.
func NewTaintTimes(now func() time.Time) *TaintTimes {
	return &TaintTimes{now: now, seen: map[taintKey]metav1.Time{}}
}

// Date returns a node's taints with the times at which they were added. It forgets taints that are gone: they may come back for
// another reason.
func (t *TaintTimes) Date(taints []corev1.Taint) []corev1.Taint {
	t.mu.Lock()
	defer t.mu.Unlock()
	var dated []corev1.Taint
	seen := map[taintKey]metav1.Time{}
	for _, taint := range taints {
		if taint.TimeAdded == nil {
			key := taintKey{taint.Key, taint.Value, taint.Effect}
			added, found := t.seen[key]
			if !found {
				added = t.added(taint)
			}
			seen[key], taint.TimeAdded = added, &added
		}
		dated = append(dated, taint)
	}
	t.seen = seen
	return dated
}

// added returns when a new taint was added, in whole seconds like the API server's times.
func (t *TaintTimes) added(taint corev1.Taint) metav1.Time {
	if taint.Key == autoscalerTaint {
		if seconds, err := strconv.ParseInt(taint.Value, 10, 64); err == nil {
			return metav1.Unix(seconds, 0)
		}
	}
	return metav1.NewTime(t.now().Truncate(time.Second))
}
