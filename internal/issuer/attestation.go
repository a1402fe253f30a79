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
	line := entry{message: "attestation", source: caller.source, workload: caller.workload}
	if err != nil {
		if isGone(err) {
			return
		}
		line.failure = writeFailure(writer, err)
		s.write(line)
		return
	}
	s.write(line)
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
