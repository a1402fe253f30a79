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

// reachable returns a server of node-1 for connections from loopback.
func reachable(t *testing.T) *Server {
	t.Helper()
	keys := bound.Keys(t)
	return &Server{
		NodeName:      "node-1",
		Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now),
		Assertions:    workload.NewAuthenticator(keys, assertionAudience, time.Now),
		Directory:     &directory.Directory{Source: directory.Caches{Reader: newWorld().client(t)}, Changes: directory.NewChanges()},
		Minters:       mint.Minters{v1alpha1.TokenSourceLocal: &countingMinter{life: time.Hour}},
		AnyAddress:    true,
		Limits:        NewLimits(PodLimits{RequestsPerSecond: 1e6, Burst: 1e6, Concurrent: 8}, time.Now),
		Log:           logr.Discard(),
		Now:           time.Now,
	}
}

func TestAuthenticatedRequestProvesItsConnection(t *testing.T) {
	t.Parallel()
	proving.Check(t, reachable(t).Handler(), ordersPod().sign(t), func(baseURL string) (*http.Request, error) {
		return http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+issuerapi.TokenPath, strings.NewReader(askVault))
	})
}

func TestAssertionProvesItsConnection(t *testing.T) {
	t.Parallel()
	form := formOf(assertionOf(ordersPod()).sign(t))
	proving.Check(t, reachable(t).Handler(), "", func(baseURL string) (*http.Request, error) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+tokenPath, strings.NewReader(form.Encode()))
		if err == nil {
			request.Header.Set("Content-Type", formType)
		}
		return request, err
	})
}
