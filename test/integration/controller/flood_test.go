package controller

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Costly pods must not use more memory than the limit, no matter who sends them and how many at a time:
// unauthenticated clients, and users whose pods the API server passes on.
func TestFloodsAreBounded(t *testing.T) {
	s := start(t)
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}}
	s.eventually(t, configuration, func() string { return "" })
	paths := append([]string{*configuration.Webhooks[0].ClientConfig.Service.Path}, guessedPaths...)
	s.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "flooding"}})
	for name, spec := range map[string]string{
		"empty containers":  `"containers":[` + repeat(`{}`, 900<<10) + `]`,
		"empty volumes":     `"volumes":[` + repeat(`{}`, 3<<20) + `]`,
		"unknown fields":    `"x":[` + repeat(`{"a":{}}`, 3<<20) + `]`,
		"long variables":    `"containers":[{"name":"app","env":[` + repeat(`{"name":"`+strings.Repeat("n", 64<<10)+`"}`, 3<<20) + `]}]`,
		"most structure":    `"containers":[{"name":"app","env":[` + repeat(`{"name":"HTTP_PROXY"}`, 21*40_000) + `]}]`,
		"deepest structure": `"containers":[{"name":"app"}],"x":[` + repeat(`{"a":{}}`, 9*30_000) + `]`,
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			replica, err := s.newReplica("flooded-" + strings.ReplaceAll(name, " ", "-"))
			if err != nil {
				t.Fatal(err)
			}
			if err := replica.start(); err != nil {
				t.Fatal(err)
			}
			before := replica.peakMemory(t)
			body := []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"x","namespace":"default",` +
				`"operation":"CREATE","object":{"metadata":{"name":"x"},"spec":{"serviceAccountName":"flooding",` + spec + `}}}}`)
			var senders sync.WaitGroup
			var injected atomic.Int32
			for i := range 2 * len(paths) {
				senders.Go(func() {
					for _, path := range []string{paths[i%len(paths)], paths[0]} {
						// Some get 503, and some lose their connection.
						got, err := send(t, replica.webhook, s.authorities(t), http.MethodPost, webhookURL+path, body)
						if err == nil && bytes.Contains(got.body, []byte(`"patchType":"JSONPatch"`)) {
							injected.Add(1)
						}
					}
				})
			}
			senders.Wait()
			after := replica.peakMemory(t)
			t.Logf("%d MiB at rest, %d MiB at most; %d pods were injected", before>>20, after>>20, injected.Load())
			if after > memoryLimit {
				t.Errorf("used %d MiB, the limit is %d MiB", after>>20, memoryLimit>>20)
			}
			if err := replica.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// memoryLimit is the controller's memory limit in the chart.
const memoryLimit = 256 << 20

// repeat returns a list of items of at most so many bytes.
func repeat(item string, size int) string {
	return strings.TrimSuffix(strings.Repeat(item+",", size/(len(item)+1)), ",")
}

// peakMemory returns the replica's peak memory in bytes.
func (r *replica) peakMemory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes << 10
		}
	}
	t.Fatal("the process's status has no VmHWM")
	return 0
}
