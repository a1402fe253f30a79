package issuer

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Attester signs who pods of this node are.
type Attester interface {
	Attest(ctx context.Context, request signerapi.AttestationRequest) ([]byte, error)
}

// serveAttestation answers an AttestationRequest.
func (s *Server) serveAttestation(writer http.ResponseWriter, request *http.Request) {
	caller, signed, err := s.attest(request)
	line := entry{message: "attestation", source: caller.source, workload: caller.workload}
	if err != nil {
		if reply.IsGone(err) {
			return
		}
		line.failure = reply.Fail(writer, err)
		s.write(line)
		return
	}
	s.write(line)
	reply.JSON(writer, http.StatusOK, issuerapi.AttestationResponse{Signature: signed})
}

func (s *Server) attest(request *http.Request) (caller, []byte, error) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		return caller, nil, err
	}
	var asked issuerapi.AttestationRequest
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		return caller, nil, reply.BadRequest("the request is not a JSON object of an attestation request")
	}
	if !imds.IsNonce(asked.Nonce) {
		return caller, nil, reply.BadRequest(imds.BadNonce)
	}
	signed, err := s.Attestations.Attest(request.Context(), signerapi.AttestationRequest{
		Pod:   signerapi.Pod{UID: caller.workload.Pod.UID, Token: bearerOf(request)},
		Nonce: asked.Nonce, Version: asked.Version,
	})
	return caller, signed, err
}
