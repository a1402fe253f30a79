package issuer

import (
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// autoscalerTaint bears the time at which it was added as its value, in seconds since 1970 UTC.
const autoscalerTaint = "ToBeDeletedByClusterAutoscaler"

// taintTimes remembers when the taints of one node were first seen. Whoever taints a node need not say when; those of the
// cluster's own controllers mostly do.
type taintTimes struct {
	now func() time.Time

	mu   sync.Mutex
	seen map[taintKey]metav1.Time
}

// taintKey is a taint without its time.
type taintKey struct {
	key, value string
	effect     corev1.TaintEffect
}

func newTaintTimes(now func() time.Time) *taintTimes {
	return &taintTimes{now: now, seen: map[taintKey]metav1.Time{}}
}

// date gives each of a node's taints the time at which it was added, as far as it has none. One that is gone in between
// is forgotten: it may come back for another reason.
func (t *taintTimes) date(taints []corev1.Taint) []corev1.Taint {
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

// added is when a taint that is seen for the first time was added, in whole seconds as the API server has times.
func (t *taintTimes) added(taint corev1.Taint) metav1.Time {
	if taint.Key == autoscalerTaint {
		if seconds, err := strconv.ParseInt(taint.Value, 10, 64); err == nil {
			return metav1.Unix(seconds, 0)
		}
	}
	return metav1.NewTime(t.now().Truncate(time.Second))
}
