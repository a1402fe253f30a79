package signer

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestOnlyPodsThatRunOnANodeAreCached(t *testing.T) {
	t.Parallel()
	var selector fields.Selector
	for object, options := range CacheOptions(client.ObjectKey{}, client.ObjectKey{}).ByObject {
		if _, ok := object.(*corev1.Pod); ok {
			selector = options.Field
		}
	}
	for name, test := range map[string]struct {
		node  string
		phase corev1.PodPhase
		want  bool
	}{
		"running":     {"node-1", corev1.PodRunning, true},
		"starting":    {"node-1", corev1.PodPending, true},
		"unscheduled": {"", corev1.PodPending, false},
		"succeeded":   {"node-1", corev1.PodSucceeded, false},
		"failed":      {"node-1", corev1.PodFailed, false},
	} {
		pod := fields.Set{"spec.nodeName": test.node, "status.phase": string(test.phase)}
		if got := selector.Matches(pod); got != test.want {
			t.Errorf("%s pod is cached: %t, want %t", name, got, test.want)
		}
	}
}
