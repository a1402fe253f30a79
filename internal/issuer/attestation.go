package issuer

import (
	"context"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// Attester signs attested documents of this node's pods.
type Attester interface {
	Attest(ctx context.Context, request signerapi.AttestationRequest) ([]byte, error)
}

// answerAttestation answers with a document that the signer signed.
func (s *Server) answerAttestation(x *exchange) (answer, error) {
	var asked issuerapi.AttestationRequest
	if err := x.read("an attestation request", &asked); err != nil {
		return answer{}, err
	}
	if !imds.IsNonce(asked.Nonce) {
		return answer{}, failure.BadRequest(imds.BadNonce)
	}
	signed, err := s.Attestations.Attest(x.request.Context(), signerapi.AttestationRequest{
		Pod:   signerapi.Pod{UID: x.workload.Pod.UID, Token: bearerOf(x.request)},
		Nonce: asked.Nonce, Version: asked.Version,
	})
	return answer{body: issuerapi.AttestationResponse{Signature: signed}}, err
}
