package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestCountStructure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``: 0, `null`: 0, `{}`: 1, `[]`: 1, `[1,2]`: 2, `{"a":1}`: 2, `{"a":[{},{}]}`: 6,
		`"{[:,"`: 0, `"\"{"`: 0, `"\\",{`: 2, `"\\\"{",1`: 1, `{"a":"b,c"}`: 2, `"`: 0, `"\`: 0,
	} {
		if got := structure([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestOversizedPodsAreDeniedUndecoded(t *testing.T) {
	list := func(item string, count int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", count), ",") + "]"
	}
	for name, test := range map[string]struct {
		spec string
		read bool
	}{
		"most containers":          {`"containers":` + list(`{"name":"c"}`, maxContainers), true},
		"one container more":       {`"containers":` + list(`{"name":"c"}`, maxContainers+1), false},
		"two kinds of containers":  {`"containers":[{}],"initContainers":` + list(`{}`, maxContainers), false},
		"ephemeral containers":     {`"containers":[{}],"ephemeralContainers":` + list(`{}`, maxContainers), true}, // are not read
		"most volumes":             {`"volumes":` + list(`{"name":"v"}`, maxVolumes), true},
		"one volume more":          {`"volumes":` + list(`{"name":"v"}`, maxVolumes+1), false},
		"many variables":           {`"containers":[{"env":` + list(`{"name":"n"}`, 10_000) + `}]`, true},
		"half a million variables": {`"containers":[{"env":` + list(`{}`, 500_000) + `}]`, false},
		"duplicate list":           {`"containers":[],"containers":` + list(`{}`, maxContainers+1), false},
		"list in another case":     {`"Containers":` + list(`{}`, maxContainers+1), true}, // is not read
	} {
		t.Run(name, func(t *testing.T) {
			m := newMutator(t, shop()...)
			log := record(m)
			raw := `{"metadata":{"name":"app","annotations":{"` + v1alpha1.IdentityAnnotation + `":"orders"}},"spec":{"serviceAccountName":"cashier",` + test.spec + `}}`
			before := count(t, outcomeDenied, "TooLarge")
			response := m.answer(t.Context(), review([]byte(raw)))
			if response.Allowed != test.read {
				t.Fatalf("allowed: %t, result %v", response.Allowed, response.Result)
			}
			if denied := count(t, outcomeDenied, "TooLarge") - before; (denied == 1) == test.read || len(*log) != 1 {
				t.Errorf("%v denied, %d log lines", denied, len(*log))
			}
			if left := m.room.structure.TryAcquire(maxStructure); !left {
				t.Error("its room was not released")
			}
		})
	}
}

// A pod waits while others use all room, and gives up when its request ends.
func TestPodsWaitForRoom(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	if !m.room.structure.TryAcquire(maxStructure) {
		t.Fatal("no room")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	raw, err := json.Marshal(newPod("orders"))
	if err != nil {
		t.Fatal(err)
	}
	if response := m.answer(ended, review(raw)); response.Allowed {
		t.Error("the pod is admitted")
	}
}

// A pod's names are not validated yet when they are written to the audit log.
func TestAuditLinesAreBounded(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	log := record(m)
	admit(t, m, newPod("orders", func(pod *corev1.Pod) {
		pod.Name = strings.Repeat("é", 1<<20)
		pod.Spec.ServiceAccountName = strings.Repeat("a", 1<<20)
	}))
	line := strings.Join(*log, "")
	if len(line) == 0 || len(line) > 8*longest || !utf8.ValidString(line) {
		t.Errorf("line has %d bytes", len(line))
	}
}

// BenchmarkLargePods measures the allocations for a pod by its size in bytes, which the limits are based on.
func BenchmarkLargePods(b *testing.B) {
	for _, variables := range []int{10, 1000, 20_000} {
		b.Run(fmt.Sprint(variables, "-variables"), func(b *testing.B) {
			m := newMutator(b, shop()...)
			pod := newPod("orders", withVariables("HTTP_PROXY", "http://proxy"))
			for i := range variables {
				withVariables(fmt.Sprint("NAME_", i), "value")(pod)
			}
			raw, err := json.Marshal(pod)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				if response := m.answer(b.Context(), review(raw)); !response.Allowed {
					b.Fatal(response.Result)
				}
			}
		})
	}
}
