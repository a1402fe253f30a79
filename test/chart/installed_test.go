package chart

import "testing"

// TestInstalled tests one installation: first with webhooks, which have no server, then without.
func TestInstalled(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	run := func(name string, test func(*testing.T, apiServer)) {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
	run("KeysAreTheSignersAlone", testOnlyTheSignerHasKeys)
	run("ThereAreNoKeysToRegister", testKeysCannotBeRegistered)
	run("ControllerChangesItsWebhooksCertificateAndPathAlone", testControllerChangesOnlyCertificateAndPathOfItsWebhooks)
	run("ControllerHasNoOtherWebhooks", testControllerHasNoOtherWebhooks)
	run("OutageTouchesOnlyPodsThatAsk", testOutageAffectsOnlyPodsThatAsk)
	withoutWebhooks(t, server)
	run("TheSidecarsTokenIsMountedByNobodyElse", testOnlyTheSidecarMountsItsToken)
	run("TemplateHint", testTemplateHint)
	run("NamespaceHint", testNamespaceHint)
	run("PodsMeetPodSecurityRestricted", testPodsMeetPodSecurityRestricted)
	run("StorageMeetsPodSecurityRestricted", testStorageMeetsPodSecurityRestricted)
	run("SamplesAreTaken", testSamplesAreAccepted)
}
