package chart

import (
	"strings"
	"testing"
)

// Whoever may run a gate is said by those who bind the role: the chart binds it to nobody.
func TestGateRoleIsOffByDefaultAndBoundToNobody(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]int{"apis.enabled=false": 0, "apis.enabled=true": 1} {
		var found []string
		for _, object := range render(t, values) {
			if strings.HasSuffix(object.GetName(), release+"-gate") {
				found = append(found, object.GetKind())
			}
		}
		if len(found) != want || want == 1 && found[0] != "ClusterRole" {
			t.Errorf("%s: got %v", values, found)
		}
	}
}
