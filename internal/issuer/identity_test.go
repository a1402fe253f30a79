package issuer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

func TestIdentityIsDescribed(t *testing.T) {
	for body, want := range map[string]struct {
		status int
		answer string
	}{
		`{}`: {http.StatusOK, `{"tenant_id":"` + string(identity("orders").Status.TenantID) + `"}`},
		`{"client_id":"` + string(identity("orders").Status.ClientID) + `"}`: {http.StatusOK, `{"tenant_id":"` + string(identity("orders").Status.TenantID) + `"}`},
		`{"client_id":"unknown"}`: {http.StatusBadRequest, `{"error":"invalid_request","error_description":"Identity not found"}`},
		`[`:                       {http.StatusBadRequest, `{"error":"invalid_request","error_description":"the body is not the JSON object of an identity request"}`},
	} {
		t.Run(body, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				recorder := s.ask(s.request(ordersPod().sign(t), http.MethodPost, issuerapi.IdentityPath, body))
				wantStatus(t, recorder, want.status)
				if got := strings.TrimSpace(recorder.Body.String()); got != want.answer {
					t.Errorf("got  %s\nwant %s", got, want.answer)
				}
			})
		})
	}
}

func TestIdentityIsRefusedToUnauthenticatedClients(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		other := ordersPod()
		other.audience = "other"
		wantStatus(t, s.ask(s.request(other.sign(t), http.MethodPost, issuerapi.IdentityPath, `{}`)), http.StatusUnauthorized)
	})
}
