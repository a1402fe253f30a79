package issuer

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func testMetricsTell(t *testing.T, i *issuerProcess) {
	text, err := read(i.metrics)
	must(t, err, "read the metrics")
	for _, line := range []string{
		`kube_imds_issuer_token_requests_total{cached="false",outcome="granted",reason=""} `,
		`kube_imds_issuer_token_requests_total{cached="true",outcome="granted",reason=""} `,
		`kube_imds_issuer_token_requests_total{cached="false",outcome="refused",reason="OtherNode"} `,
		`kube_imds_issuer_mint_seconds_count `,
		`kube_imds_issuer_workload_keys_refreshes_total{outcome="read"} `,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("metrics have no line %q", line)
		}
	}
	// Labels with names of pods and resources would be unbounded.
	for _, unbounded := range []string{"shop-", "vault.azure.net"} {
		if strings.Contains(text, unbounded) {
			t.Errorf("metrics contain %q", unbounded)
		}
	}
}

// Grants of tokens are in the audit log at every level.
func testAuditLogIsKept(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "audited", "node-2")
	i.granted(t, pod, vault)
	eventually(t, "the audit log says who was given a token", func() error {
		for line := range strings.Lines(i.log.String()) {
			if strings.Contains(line, `"outcome":"granted"`) && strings.Contains(line, string(pod.UID)) {
				return nil
			}
		}
		return fmt.Errorf("log = %q", i.log)
	})
}

// A stopped issuer answers held requests, and exits with status 0.
func testStopped(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "waiting", "node-2"))
	i.grantedTo(t, bearer, vault)
	held := i.waitForGrant(t, bearer, i.get(t, bearer, issuerapi.GrantPath))

	must(t, i.command.Process.Signal(syscall.SIGTERM), "stop the issuer")
	if a := <-held; a.status != http.StatusNotModified {
		t.Errorf("held request: got %d %s", a.status, a.body)
	}
	select {
	case err := <-i.ended:
		must(t, err, "the issuer ends")
	case <-time.After(30 * time.Second):
		t.Fatal("the issuer did not end within 30 s")
	}
}

// A token request costs the API server nothing, so it need not be there.
func testAPIServerIsAway(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "lonely", "node-1"))
	i.grantedTo(t, bearer, vault)
	// It is killed, which it reports: otherwise it would wait for the issuer's watches.
	_ = i.environment.ControlPlane.APIServer.Stop()
	if err := i.Get(t.Context(), client.ObjectKey{Name: "node-1"}, &corev1.Node{}); err == nil {
		t.Fatal("the API server still runs")
	}
	for n := range 20 {
		if a := i.ask(t, bearer, fmt.Sprintf("https://resource-%d.example", n)); a.status != http.StatusOK {
			t.Errorf("without the API server: got %d %s", a.status, a.body)
		}
	}
	if err := i.ready(); err != nil {
		t.Errorf("without the API server the issuer is not ready: %v", err)
	}
}
