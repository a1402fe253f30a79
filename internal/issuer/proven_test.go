package issuer

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
	"github.com/kube-imds/kube-imds/internal/testing/proving"
)

func TestAuthenticatedRequestProvesItsConnection(t *testing.T) {
	t.Parallel()
	server := &Server{
		NodeName:      "node-1",
		Authenticator: workload.NewAuthenticator(bound.Keys(t), issuerapi.Audience, time.Now),
		Directory:     &directory.Directory{Source: directory.Caches{Reader: newWorld().client(t)}, Changes: directory.NewChanges()},
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: &countingMinter{life: time.Hour}},
		AnyAddress:    true, // the connection comes from loopback
		Limits:        NewLimits(PodLimits{RequestsPerSecond: 1e6, Burst: 1e6, Concurrent: 8}, time.Now),
		Log:           logr.Discard(),
		Now:           time.Now,
	}
	orders := bound.Token{Audience: issuerapi.Audience, Workload: workload.Workload{
		Namespace: "shop", Pod: workload.Reference{Name: "orders-0", UID: "pod-uid"},
		ServiceAccount: workload.Reference{Name: "orders", UID: "account-uid"}, Node: workload.Reference{Name: "node-1", UID: "node-uid"},
	}}
	proving.Check(t, server.Handler(), orders.Sign(t), func(baseURL string) (*http.Request, error) {
		return http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+issuerapi.TokenPath, strings.NewReader(askVault))
	})
}
