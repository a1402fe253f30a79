package signer

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/proving"
)

// The audit log names the pod in the request, so the token must be that pod's, even if both pods run on the issuer's node.
func TestPassedOnTokenMustBeThePodsInTheRequest(t *testing.T) {
	request := asking("orders-0", "bills")
	request.Token = tokenOf("bills-0", "bills", "node-1").Sign(t)
	newStage(t).wantRefusal(issuerOf("node-1"), request, http.StatusForbidden, "Unauthenticated")
}

func TestAuthenticatedRequestProvesItsConnection(t *testing.T) {
	s := newStage(t)
	body, err := json.Marshal(asking("orders-0", "orders"))
	if err != nil {
		t.Fatal(err)
	}
	proving.Check(t, s.Handler(), issuerOf("node-1").Sign(t), func(baseURL string) (*http.Request, error) {
		return http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+signerapi.TokenPath, bytes.NewReader(body))
	})
}
