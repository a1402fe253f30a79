package disruption

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestTaintTimes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 5)
	times := NewTaintTimes(func() time.Time { return now })
	custom := corev1.Taint{Key: "gone", Effect: corev1.TaintEffectNoExecute}
	dated := corev1.Taint{Key: "gone", Value: "dated", Effect: corev1.TaintEffectNoExecute, TimeAdded: new(metav1.Unix(7, 0))}
	byAutoscaler := corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Value: "900", Effect: corev1.TaintEffectNoSchedule}
	bySomebody := corev1.Taint{Key: "ToBeDeletedByClusterAutoscaler", Value: "soon", Effect: corev1.TaintEffectNoSchedule}

	want := func(when string, taints []corev1.Taint, seconds ...int64) {
		t.Helper()
		for i, taint := range times.Date(taints) {
			if !taint.TimeAdded.Time.Equal(time.Unix(seconds[i], 0)) {
				t.Errorf("%s: %s %s was added at %v, want %d", when, taint.Key, taint.Value, taint.TimeAdded, seconds[i])
			}
		}
		now = now.Add(time.Second)
	}
	want("at first", []corev1.Taint{custom}, 1000)
	want("with others", []corev1.Taint{dated, byAutoscaler, custom, bySomebody}, 7, 900, 1000, 1001)
	want("without it", []corev1.Taint{dated, bySomebody}, 7, 1001)
	want("with it again", []corev1.Taint{custom, bySomebody}, 1003, 1001)
	if custom.TimeAdded != nil || len(times.Date(nil)) != 0 {
		t.Error("a taint of the API server was changed or added")
	}
}
