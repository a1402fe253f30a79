package webhook

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// It reads the process's metrics, so it is not parallel.
func TestAuditAndMetrics(t *testing.T) {
	byAddress := func(m *mutator) { m.options.Interception = Address }
	noAuthority := func(m *mutator) { m.options.CABundle = func(context.Context) []byte { return nil } }
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		change  func(*mutator)
		outcome string
		reason  string
		want    map[string]any
	}{
		"injected": {pod: newPod("orders,payments"), outcome: "injected", want: map[string]any{
			"namespace": "shop", "pod": "app", "serviceAccount": "cashier", "user": "replicaset-controller",
			"identities": "orders,payments", "source": "PodAnnotation", "detail": ""}},
		"injected, generated name": {pod: newPod("orders", func(pod *corev1.Pod) { pod.Name, pod.GenerateName = "", "app-7f-" }),
			outcome: "injected", want: map[string]any{"pod": "app-7f-", "identities": "orders"}},
		"default first": {pod: newPod("", as("bound")), outcome: "injected", want: map[string]any{
			"identities": "payments,orders", "source": "IdentityBinding"}},
		"not admitted": {pod: newPod("closed"), outcome: "denied", reason: "NotAdmitted", want: map[string]any{"identities": "",
			"detail": `kube-imds: ManagedIdentity "closed" does not admit the ServiceAccount "cashier" of namespace "shop": ` +
				`its administrator can add them to spec.assumableBy`}},
		"does not exist":    {pod: newPod("missing"), outcome: "denied", reason: "IdentityNotFound"},
		"two reasons":       {pod: newPod("closed,missing"), outcome: "denied", reason: "NotAdmitted"},
		"too many":          {pod: newPod(manyNames(33)), outcome: "denied", reason: "TooManyIdentities"},
		"mode":              {pod: newPod("orders", annotated(v1alpha1.ModeAnnotation, "env")), outcome: "denied", reason: "UnknownMode"},
		"host network":      {pod: newPod("orders", onHostNetwork), outcome: "denied", reason: "HostNetwork"},
		"Windows":           {pod: newPod("orders", onWindows), outcome: "denied", reason: "Windows"},
		"name taken":        {pod: newPod("orders", withContainer("kube-imds")), outcome: "denied", reason: "NameTaken"},
		"no port":           {pod: newPod("orders", annotated(v1alpha1.PortAnnotation, "http")), outcome: "denied", reason: "Port"},
		"port taken":        {pod: newPod("orders", withPort(15780, "")), outcome: "denied", reason: "PortTaken"},
		"port 80 taken":     {pod: newPod("orders", withPort(80, "")), change: byAddress, outcome: "denied", reason: "PortTaken"},
		"sysctl":            {pod: newPod("orders", withSysctl(portSysctl, "1024")), change: byAddress, outcome: "denied", reason: "Sysctl"},
		"no authority yet":  {pod: newPod("orders"), change: noAuthority, outcome: "denied", reason: "NotReady"},
		"no ServiceAccount": {pod: newPod("orders", as("nobody")), outcome: "denied", reason: "Error"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMutator(t, shop()...)
			if test.change != nil {
				test.change(m)
			}
			log := record(m)
			before := count(t, test.outcome, test.reason)
			admit(t, m, test.pod)
			if got := count(t, test.outcome, test.reason) - before; got != 1 {
				t.Errorf("%v admissions with outcome %s, reason %s", got, test.outcome, test.reason)
			}
			if len(*log) != 1 {
				t.Fatalf("log = %v", *log)
			}
			var line map[string]any
			if err := json.Unmarshal([]byte((*log)[0]), &line); err != nil {
				t.Fatal(err)
			}
			for key, want := range test.want {
				if diff := cmp.Diff(want, line[key]); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			if line["outcome"] != test.outcome || line["reason"] != test.reason {
				t.Errorf("outcome = %v, reason = %v", line["outcome"], line["reason"])
			}
		})
	}
}

func TestDryRunIsNotLogged(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	log := record(m)
	for _, pod := range []*corev1.Pod{newPod("orders"), newPod("closed")} {
		raw, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		if response := m.answer(t.Context(), reviewWith(`"dryRun":true`, raw)); response.Allowed != (len(response.Patches) > 0) {
			t.Errorf("allowed: %t, patches %v", response.Allowed, response.Patches)
		}
	}
	if len(*log) != 0 {
		t.Errorf("log = %s", strings.Join(*log, "\n"))
	}
}

// record collects log lines from now on.
func record(m *mutator) *[]string {
	var lines []string
	m.log = funcr.NewJSON(func(line string) { lines = append(lines, line) }, funcr.Options{})
	return &lines
}

func count(t *testing.T, outcome, reason string) float64 {
	t.Helper()
	var metric dto.Metric
	counter := admissions.WithLabelValues(outcome, reason)
	if err := counter.Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}
