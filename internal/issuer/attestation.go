package issuer

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// serveAttestation answers an AttestationRequest.
func (s *Server) serveAttestation(writer http.ResponseWriter, request *http.Request) {
	caller, signed, err := s.attest(request)
	who := []any{
		"namespace", caller.workload.Namespace, "pod", caller.workload.Pod.Name, "podUID", caller.workload.Pod.UID,
		"serviceAccount", caller.workload.ServiceAccount.Name, "node", s.NodeName,
	}
	if err != nil {
		if isGone(err) {
			return
		}
		failure := writeFailure(writer, err)
		if caller.pod != nil {
			s.Log.Info("attestation", append(who, "outcome", outcomeRefused, "reason", failure.reason, "detail", failure.detail)...)
		}
		return
	}
	s.Log.Info("attestation", append(who, "outcome", outcomeGranted)...)
	writeJSON(writer, http.StatusOK, issuerapi.AttestationResponse{Signature: signed})
}

func (s *Server) attest(request *http.Request) (caller, []byte, error) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		return caller, nil, err
	}
	var asked issuerapi.AttestationRequest
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		return caller, nil, badRequest("the request is not a JSON object of an attestation request")
	}
	node, err := s.Directory.Node(request.Context(), s.NodeName)
	if err != nil {
		return caller, nil, err
	}
	instance := DescribeInstance(caller.pod, node, s.Metadata)
	signed, err := s.Attestations.Attest(attested.Claims{
		VMID: instance.VMID, SubscriptionID: instance.SubscriptionID, Nonce: asked.Nonce, Version: asked.Version,
	})
	return caller, signed, err
}

// AttestationNames are the names of the certificate that pods of a node are attested with.
func (d *Directory) AttestationNames(ctx context.Context, nodeName string, defaults MetadataDefaults) ([]string, error) {
	node, err := d.Node(ctx, nodeName)
	if err != nil {
		return nil, err
	}
	return attested.Names(defaults.Environment, placeOf(node, defaults).location), nil
}
