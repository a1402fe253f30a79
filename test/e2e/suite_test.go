// Package e2e tests all of kube-imds on a real cluster: the one of KUBECONFIG, a local cluster
// or kind. It installs the chart, and removes it in the end.
//
// It needs two schedulable nodes with the images of the chart and of test/apps, and helm. `make test-e2e`
// prepares all of that.
package e2e

import "testing"

// TestEndToEnd runs the tests in groups: first those that do not change the installation, in parallel; then those that
// stop parts of it, one at a time; in the end the chart is uninstalled.
func TestEndToEnd(t *testing.T) {
	c := connect(t)
	c.installChart(t)
	t.Cleanup(func() { c.describeFailure(t) })

	t.Run("Running", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *cluster){
			"TokensVerifyOnBothNodes":       testTokensVerifyOnBothNodes,
			"SampleRuns":                    testSampleRuns,
			"JobCompletes":                  testJobCompletes,
			"AdmissionIsAskedAndWithdrawn":  testAdmission,
			"IMDSConforms":                  testConformance,
			"PodIsAttested":                 testPodIsAttested,
			"InstanceIsThePod":              testInstanceIsThePod,
			"LoadBalancerIsTold":            testLoadBalancerIsTold,
			"DeletionIsTold":                testDeletionIsTold,
			"NobodyGetsInFromOutside":       testNobodyGetsInFromOutside,
			"WebhookAnswersTheAPIServer":    testWebhookAnswersTheAPIServerAlone,
			"DebuggersKeepOut":              testDebuggersKeepOutOfTheSidecar,
			"Port80IsTheApplications":       testPort80IsTheApplications,
			"OnlyPort80IsAnswered":          testOnlyPort80IsAnswered,
			"PortIsChosen":                  testPortIsChosen,
			"PortSysctlIsThePods":           testPortSysctlIsThePods,
			"SidecarRestarts":               testSidecarRestarts,
			"MeshLeavesIMDSAlone":           testMeshLeavesIMDSAlone,
			"IssuerRefusesForeignTokens":    testIssuerRefusesForeignTokens,
			"StolenTokenIsOfNoUse":          testStolenTokenIsOfNoUse,
			"HostNetworkPodIsRefused":       testHostNetworkPodIsRefused,
			"FloodLeavesTheIssuerAlone":     testFloodLeavesTheIssuerAlone,
			"IMDSIsAskedByItsOwnNames":      testIMDSIsAskedByItsOwnNames,
			"NodeForgesNothing":             testNodeForgesNothing,
			"EveryKindOfWorkloadIsInjected": testEveryKindOfWorkload,
			"PoliciesFitTheirObjects":       testPoliciesFitTheirObjects,
			"ChartTestPasses":               testChartTestPasses,
			"EntraIssuesTokens":             testEntraIssuesTokens,
			"KeyVaultHoldsSecrets":          testKeyVaultHoldsSecrets,
			"TrustedPods":                   testTrustedPods,
			"StorageHoldsBlobs":             testStorageHoldsBlobs,
			"UninjectedPodsAreCounted":      testUninjectedPodsAreCounted,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, c)
			})
		}
	})
	t.Run("NodeMetadataIsChecked", func(t *testing.T) { testNodeMetadataIsChecked(t, c) })
	t.Run("DrainIsToldAndAcknowledged", func(t *testing.T) { testDrainIsToldAndAcknowledged(t, c) })
	t.Run("SignerKilled", func(t *testing.T) { testSignerKilled(t, c) })
	t.Run("SignersGone", func(t *testing.T) { testSignersGone(t, c) })
	t.Run("KeyRotated", func(t *testing.T) { testKeyRotated(t, c) })
	t.Run("KeyRevoked", func(t *testing.T) { testKeyRevoked(t, c) })
	t.Run("FederationKeyRotated", func(t *testing.T) { testFederationKeyRotated(t, c) })
	t.Run("IssuerRestarted", func(t *testing.T) { testIssuerRestarted(t, c) })
	t.Run("IssuerStopped", func(t *testing.T) { testIssuerStopped(t, c) })
	t.Run("AuthorityCleared", func(t *testing.T) { testAuthorityCleared(t, c) })
	t.Run("AddressInterception", func(t *testing.T) { testAddressInterception(t, c) })
	t.Run("Reinstalled", func(t *testing.T) { testReinstalled(t, c) })
	// For half a minute afterwards, watches of the API server may lag: those of kube-proxy and controllers among them.
	t.Run("APIServerStopped", func(t *testing.T) { testAPIServerStopped(t, c) })
	t.Run("Uninstalled", func(t *testing.T) { testUninstalled(t, c) })
}
