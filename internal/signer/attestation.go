package signer

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// serveAttestation answers an AttestationRequest.
func (s *Server) serveAttestation(writer http.ResponseWriter, request *http.Request) {
	entry := &entry{kind: "attestation", source: request.RemoteAddr}
	signed, err := s.attest(request, entry)
	if err != nil {
		if !reply.IsGone(err) {
			entry.failure = refuse(writer, err)
			s.record(entry)
		}
		return
	}
	s.record(entry)
	reply.JSON(writer, http.StatusOK, signerapi.AttestationResponse{Signature: signed})
}

func (s *Server) attest(request *http.Request, entry *entry) ([]byte, error) {
	var asked signerapi.AttestationRequest
	issuer, err := s.read(request, &asked)
	entry.issuer, entry.podUID = issuer, asked.UID
	if err != nil {
		return nil, err
	}
	if !imds.IsNonce(asked.Nonce) {
		return nil, failure.BadRequest(imds.BadNonce)
	}
	found, err := s.find(request.Context(), issuer, asked.Pod)
	entry.pod = found.pod
	if err != nil {
		return nil, err
	}
	return s.Attestations.Attest(attested.Claims{
		VMID: string(found.pod.UID), SubscriptionID: machine.PlaceOf(found.node, s.Machine).SubscriptionID,
		Nonce: asked.Nonce, Version: asked.Version,
	})
}
