package issuer

import (
	"encoding/json"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// serveIdentity answers an IdentityRequest. Nothing is given out by which the pod could act, so nothing is on record.
func (s *Server) serveIdentity(writer http.ResponseWriter, request *http.Request) {
	answer, err := s.describeIdentity(request)
	if err != nil {
		if !reply.IsGone(err) {
			reply.Fail(writer, err)
		}
		return
	}
	reply.JSON(writer, http.StatusOK, answer)
}

func (s *Server) describeIdentity(request *http.Request) (*issuerapi.Identity, error) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		return nil, err
	}
	var asked issuerapi.IdentityRequest
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		return nil, reply.BadRequest("the request is not a JSON object of an identity request")
	}
	identity, refusal := caller.grant.Select(grant.Selector(asked))
	if refusal != nil {
		return nil, s.refuse(caller, refusal)
	}
	return &issuerapi.Identity{TenantID: string(identity.Status.TenantID)}, nil
}
