package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

var podStarts = flag.Int("pod-starts", 0, "how many `pods` with and without IMDS TestPodStart starts; 0 leaves it out")

// TestPodStart measures how much later an application starts in a pod that has IMDS: plain and injected pods in turns, one at a time. Its goal
// is for people to compare (docs/scale.md); it fails only if a pod does not start.
func TestPodStart(t *testing.T) {
	if *podStarts == 0 {
		t.Skip("it takes minutes; `make bench-start` runs it")
	}
	c := connect(t)
	c.helm(t, "upgrade", "--install", release, chartPath, "--namespace", namespace, "--create-namespace", "--wait", "--timeout", "5m")
	t.Cleanup(func() { c.describeFailure(t) })
	home := c.namespace(t)
	identity := c.identity(t, home, home)
	var plain, injected []time.Duration
	for n := range *podStarts {
		plain = append(plain, c.timeStart(t, newProbePod(c, home, fmt.Sprint("plain-", n))))
		injected = append(injected, c.timeStart(t, newProbePod(c, home, fmt.Sprint("injected-", n)).withIdentity(identity.Name)))
	}
	median, slow := func(all []time.Duration) time.Duration { return all[len(all)/2] }, func(all []time.Duration) time.Duration { return all[len(all)*95/100] }
	slices.Sort(plain)
	slices.Sort(injected)
	t.Logf("\n| from creation to the application's start | median | 95th percentile |\n| --- | --- | --- |\n"+
		"| plain pod | %d ms | %d ms |\n| pod with IMDS | %d ms | %d ms |\n| added | %d ms | %d ms |",
		median(plain).Milliseconds(), slow(plain).Milliseconds(), median(injected).Milliseconds(), slow(injected).Milliseconds(),
		(median(injected) - median(plain)).Milliseconds(), (slow(injected) - slow(plain)).Milliseconds())
}

// timeStart runs a pod to its end, and returns the time from its creation to the start of its program, by the clock of this machine.
func (c *cluster) timeStart(t *testing.T, pod probePod) time.Duration {
	t.Helper()
	pod.onNode(c.nodes[0])
	pod.Spec.Containers[0].SecurityContext = restricted()
	pod.Spec.Containers[0].Args = []string{"started", "/probe"}
	created := time.Now()
	c.runToEnd(t, pod.Pod)
	printed, _, _ := strings.Cut(c.logs(t, pod.Namespace, pod.Name, "probe"), "\n")
	var report struct{ Started int64 }
	must(t, json.Unmarshal([]byte(printed), &report), "read the start time in %q", printed)
	c.delete(t, &corev1.Pod{ObjectMeta: pod.ObjectMeta})
	return time.UnixMilli(report.Started).Sub(created)
}
