package main

import (
	"testing"

	"github.com/kube-imds/kube-imds/test/conformance/suite"
)

// TestDevConforms runs the conformance suite against dev.
func TestDevConforms(t *testing.T) {
	t.Parallel()
	p := start(t, append(asOrders, "--file", write(t, orders))...)
	results, err := suite.Run(t.Context(), suite.Target{
		URL: p.baseURL(), Resource: "https://vault.azure.net", ClientID: ordersClient, ObjectID: ordersPrincipal,
		ResourceID: "/subscriptions/41bc4f06-ae25-5cea-b0fc-fba992c50ddb/resourcegroups/kube-imds/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders",
	}, suite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, result := range results {
		switch result.Outcome {
		case suite.OK:
			passed++
		case suite.Failed:
			t.Errorf("%s", result)
		case suite.Skipped:
			t.Log(result)
		}
	}
	if passed < 120 {
		t.Errorf("%d of %d cases passed", passed, len(results))
	}
}
