// Package issuer tests the issuer's binary against a real API server: with the rights of the chart,
// the credentials that kubelet would give it, and the controller's reconcilers.
//
// HELM names the helm to use, KUBEBUILDER_ASSETS the folder of kube-apiserver and etcd.
package issuer

import "testing"

// TestIssuer first runs the tests that do not change the issuer, in parallel; then the others, one at a time.
func TestIssuer(t *testing.T) {
	c := startCluster(t)
	s := c.startSigner(t)
	i := c.startIssuer(t, "node-1", "--token-endpoint")

	t.Run("Running", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *issuerProcess){
			"TokenVerifiesByWhatIsPublished":  testTokenVerifies,
			"SignerRefusesWhatIsNotItsNodes":  testSignerRefusesWhatIsNotItsNodes,
			"ViewHasOneNode":                  testViewHasOneNode,
			"IssuerReadsNothing":              testIssuerReadsNothing,
			"NewPodIsServedAtOnce":            testNewPodIsServedAtOnce,
			"ForeignTokensAreRefused":         testForeignTokensAreRefused,
			"TokenIsOfNoUseElsewhere":         testTokenIsOfNoUseElsewhere,
			"LongTokenIsRefused":              testLongTokenIsRefused,
			"PodThatHasGoneIsRefused":         testPodThatHasGone,
			"PodThatHasEndedIsRefused":        testPodThatHasEnded,
			"ServiceAccountMadeAnewIsRefused": testServiceAccountMadeAnew,
			"WithdrawnGrantIsTold":            testWithdrawnGrantIsTold,
			"InstanceIsThePod":                testInstanceIsThePod,
			"PodIsAttested":                   testPodIsAttested,
			"LaterChangesTakeEffect":          testLaterChangesTakeEffect,
			"LoadBalancerLeadsToThePod":       testLoadBalancerLeadsToThePod,
			"DeletionIsTold":                  testDeletionIsTold,
			"AssertionIsExchanged":            testAssertionIsExchanged,
			"AssertionIsOfNoUseElsewhere":     testAssertionIsOfNoUseElsewhere,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, i)
			})
		}
	})
	t.Run("OthersCostAnIssuerNothing", func(t *testing.T) { testOthersCostAnIssuerNothing(t, c) })
	t.Run("HugeObjectsAreNotKept", func(t *testing.T) { testHugeObjectsAreNotKept(t, c) })
	t.Run("DrainIsTold", func(t *testing.T) { testDrainIsTold(t, i) })
	t.Run("KeyIsRevoked", func(t *testing.T) { testKeyIsRevoked(t, i) })
	t.Run("SignerIsKilled", func(t *testing.T) { testSignerIsKilled(t, i, s) })
	t.Run("MetricsTell", func(t *testing.T) { testMetricsTell(t, i) })
	quiet := c.startIssuer(t, "node-2", "--log-level=error")
	t.Run("NoTokenEndpoint", func(t *testing.T) { testNoTokenEndpoint(t, quiet) })
	t.Run("AuditLogIsKept", func(t *testing.T) { testAuditLogIsKept(t, quiet) })
	t.Run("Stopped", func(t *testing.T) { testStopped(t, quiet) })
	t.Run("APIServerIsAway", func(t *testing.T) { testAPIServerIsAway(t, i) })
}
