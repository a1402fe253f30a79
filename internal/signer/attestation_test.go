package signer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

func TestAttestationOfAPodOfTheNode(t *testing.T) {
	s := newStage(t)
	recorder := s.ask(issuerOf("node-1"), signerapi.AttestationPath, signerapi.AttestationRequest{
		Pod: signerapi.Pod{UID: "orders-0-uid"}, Nonce: "1234567890", Version: "2021-02-01",
	})
	var answer signerapi.AttestationResponse
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || recorder.Code != http.StatusOK {
		t.Fatalf("got %d %s", recorder.Code, recorder.Body)
	}
	for _, part := range []string{`"vmId":"orders-0-uid"`, `"nonce":"1234567890"`, `"subscriptionId":"the-subscription"`} {
		if !strings.Contains(string(answer.Signature), part) {
			t.Errorf("the document has no %s", part)
		}
	}
	if !strings.Contains(s.audit.String(), `"attestation" "node"="node-1"`) {
		t.Errorf("unexpected audit log: %s", s.audit)
	}
}

func TestAttestationIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		pod, nonce string
		want       int
	}{
		"pod of another node": {"stock-0", "1", http.StatusForbidden},
		"pod does not exist":  {"gone", "1", http.StatusForbidden},
		"invalid nonce":       {"orders-0", `","vmId":"stock-0-uid`, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := newStage(t).ask(issuerOf("node-1"), signerapi.AttestationPath, signerapi.AttestationRequest{
				Pod: signerapi.Pod{UID: test.pod + "-uid"}, Nonce: test.nonce, Version: "2021-02-01",
			})
			if recorder.Code != test.want {
				t.Errorf("got %d %s, want %d", recorder.Code, recorder.Body, test.want)
			}
		})
	}
}

func TestAttestationNamesAreThoseOfTheNodesLocations(t *testing.T) {
	s := newStage(t)
	names, err := AttestationNames(s.client, machine.Defaults{Environment: "AzureChinaCloud"})(t.Context())
	if want := "metadata.azure.cn northeurope.metadata.azure.cn westeurope.metadata.azure.cn"; err != nil || strings.Join(names, " ") != want {
		t.Errorf("names = %q, error %v", names, err)
	}
}

// Locations are labels of nodes, and a certificate has room for few names.
func TestAttestationNamesAreBounded(t *testing.T) {
	var nodes []client.Object
	for n := range maxLocations + 10 {
		nodes = append(nodes, node(fmt.Sprintf("far-%d", n), fmt.Sprintf("region%d", n)))
	}
	s := newStage(t, nodes...)
	names, err := AttestationNames(s.client, machine.Defaults{Environment: "AzurePublicCloud"})(t.Context())
	if err != nil || len(names) != 1+maxLocations {
		t.Errorf("got %d names, error %v, want %d", len(names), err, 1+maxLocations)
	}
}
