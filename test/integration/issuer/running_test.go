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
			t.Errorf("the metrics have no line %q", line)
		}
	}
	// What pods are called and ask for would make labels without bound.
	for _, unbounded := range []string{"shop-", "vault.azure.net"} {
		if strings.Contains(text, unbounded) {
			t.Errorf("the metrics hold %q", unbounded)
		}
	}
}

// Whatever else the log leaves out, who was given a token is on record.
func testAuditLogIsKept(t *testing.T, i *issuerProcess) {
	pod := i.newHome(t).newPod(t, "audited", "node-2")
	i.granted(t, pod, vault)
	eventually(t, "the audit log says who was given a token", func() error {
		for line := range strings.Lines(i.log.String()) {
			if strings.Contains(line, `"outcome":"granted"`) && strings.Contains(line, string(pod.UID)) {
				return nil
			}
		}
		return fmt.Errorf("the log is %q", i.log)
	})
}

// An issuer that is stopped answers those who wait, and ends well.
func testStopped(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "waiting", "node-2"))
	i.grantedTo(t, bearer, vault)
	told := i.waitForGrant(t, bearer, i.get(t, bearer, issuerapi.GrantPath))

	must(t, i.command.Process.Signal(syscall.SIGTERM), "stop the issuer")
	if a := <-told; a.status != http.StatusNotModified {
		t.Errorf("a request that is held is answered with %d %s", a.status, a.body)
	}
	select {
	case err := <-i.ended:
		must(t, err, "the issuer ends")
	case <-time.After(30 * time.Second):
		t.Fatal("the issuer has not ended within 30 s")
	}
}

// A token request costs the API server nothing, so it need not be there.
func testAPIServerIsAway(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "lonely", "node-1"))
	i.grantedTo(t, bearer, vault)
	// It is ended by force, and says so: else it would wait for the issuer, which watches.
	_ = i.environment.ControlPlane.APIServer.Stop()
	if err := i.Get(t.Context(), client.ObjectKey{Name: "node-1"}, &corev1.Node{}); err == nil {
		t.Fatal("the API server is still there")
	}
	for n := range 20 {
		if a := i.ask(t, bearer, fmt.Sprintf("https://resource-%d.example", n)); a.status != http.StatusOK {
			t.Errorf("with the API server away, a request is answered with %d %s", a.status, a.body)
		}
	}
	if err := i.ready(); err != nil {
		t.Errorf("with the API server away, the issuer is not ready: %v", err)
	}
}
