package chart

import "testing"

// TestInstalled looks at one installation: first with the webhooks that nobody answers, then without them.
func TestInstalled(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	run := func(name string, test func(*testing.T, apiServer)) {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
	run("KeysAreTheSignersAlone", testKeysAreTheSignersAlone)
	run("ThereAreNoKeysToRegister", testThereAreNoKeysToRegister)
	run("ControllerChangesItsWebhooksCertificateAndPathAlone", testControllerChangesItsWebhooksCertificateAndPathAlone)
	run("ControllerHasNoOtherWebhooks", testControllerHasNoOtherWebhooks)
	run("OutageTouchesOnlyPodsThatAsk", testOutageTouchesOnlyPodsThatAsk)
	withoutWebhooks(t, server)
	run("TheSidecarsTokenIsMountedByNobodyElse", testTheSidecarsTokenIsMountedByNobodyElse)
	run("PodsMeetPodSecurityRestricted", testPodsMeetPodSecurityRestricted)
	run("SamplesAreTaken", testSamplesAreTaken)
}
