package signer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// answerAttestation answers an AttestationRequest.
func (s *Server) answerAttestation(request *http.Request, entry *entry) (any, error) {
	var asked signerapi.AttestationRequest
	err := s.read(request, entry, &asked)
	entry.podUID = asked.UID
	if err != nil {
		return nil, err
	}
	if !imds.IsNonce(asked.Nonce) {
		return nil, failure.BadRequest(imds.BadNonce)
	}
	found, err := s.find(request.Context(), entry.issuer, asked.Pod)
	entry.pod = found.pod
	if err != nil {
		return nil, err
	}
	signed, err := s.Attestations.Attest(attested.Claims{
		VMID: string(found.pod.UID), SubscriptionID: machine.PlaceOf(found.node, s.Machine).SubscriptionID,
		Nonce: asked.Nonce, Version: asked.Version,
	})
	return signerapi.AttestationResponse{Signature: signed}, err
}
