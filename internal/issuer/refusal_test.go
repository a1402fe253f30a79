package issuer

import (
	"encoding/json"
	"net/http/httptest"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// refusal is the error for the sidecar and the audit log.
type refusal struct {
	status      int
	code        string
	description string
	retryAfter  string
	outcome     string
	reason      string
}

func (s *stage) wantRefusal(recorder *httptest.ResponseRecorder, want refusal) {
	s.Helper()
	var body issuerapi.Error
	if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
		s.Fatalf("response %q is not JSON: %v", recorder.Body, err)
	}
	entries := s.audit.entries(s.T)
	if len(entries) == 0 {
		s.Fatal("there is no audit log")
	}
	last := entries[len(entries)-1]
	outcome, _ := last["outcome"].(string)
	reason, _ := last["reason"].(string)
	got := refusal{recorder.Code, body.Code, body.Description, recorder.Header().Get("Retry-After"), outcome, reason}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(refusal{})); diff != "" {
		s.Errorf("refusal (-want +got):\n%s", diff)
	}
	if last["detail"] == "" || last["node"] != "node-1" {
		s.Errorf("audit log misses something: %v", last)
	}
}

var (
	notServed        = refusal{403, "unauthorized_client", "this issuer does not serve the pod", "", "refused", "UnknownPod"}
	notFound         = refusal{400, "invalid_request", "Identity not found", "", "refused", "NotAdmitted"}
	badResource      = refusal{400, "invalid_request", "the resource has characters that no resource has", "", "refused", "BadRequest"}
	badBody          = refusal{400, "invalid_request", "the body is not the JSON object of a token request", "", "refused", "BadRequest"}
	noResource       = refusal{400, "invalid_request", "Required audience parameter not specified", "", "refused", "BadRequest"}
	away             = refusal{503, "service_unavailable", "the issuer cannot make a token at the moment; try again", "2", "unavailable", "Unavailable"}
	notAuthenticated = refusal{401, "unauthorized_client", "the pod's ServiceAccount token does not authenticate it to the issuer", "", "refused", "Unauthenticated"}
)

// because returns the refusal with another reason.
func (r refusal) because(reason string) refusal {
	r.reason = reason
	return r
}
