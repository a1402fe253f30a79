package chart

import (
	"strings"
	"testing"
)

func TestInvalidValueIsNamed(t *testing.T) {
	t.Parallel()
	for value, key := range map[string]string{
		`replicas=3`:                                            "'replicas'",
		`controller.replica=3`:                                  "/controller",
		`controller.replicas=0`:                                 "/controller/replicas",
		`controller.replicas="two"`:                             "/controller/replicas",
		`controller.resources.limits.cpus="1"`:                  "/controller/resources/limits",
		`issuer.resources.requests.memory="plenty"`:             "/issuer/resources/requests/memory",
		`issuer.tolerations=[{"effect":"Never"}]`:               "/issuer/tolerations/0/effect",
		`issuer.podLimits.requestsPerSecond=0`:                  "/issuer/podLimits/requestsPerSecond",
		`issuer.podLimits.burst=1.5`:                            "/issuer/podLimits/burst",
		`issuer.podLimits.concurrent=null`:                      "/issuer/podLimits",
		`issuer.requirePodAddress="no"`:                         "/issuer/requirePodAddress",
		`issuer.podLimits.perSecond=1`:                          "/issuer/podLimits",
		`sidecar.imdsLimits="azure"`:                            "/sidecar/imdsLimits",
		`sidecar.interception="iptables"`:                       "/sidecar/interception",
		`sidecar.port=80`:                                       "/sidecar/port",
		`keyVault.publicHosts=["azure.net"]`:                    "/keyVault/publicHosts/0",
		`keyVault.publicHosts=["*.vault.azure.net"]`:            "/keyVault/publicHosts/0",
		`keyVault.publicHosts=["orders.example.com"]`:           "/keyVault/publicHosts/0",
		`storage.publicHosts=["core.windows.net"]`:              "/storage/publicHosts/0",
		`storage.publicHosts=["*.blob.core.windows.net"]`:       "/storage/publicHosts/0",
		`storage.publicHosts=["orders.dfs.core.windows.net"]`:   "/storage/publicHosts/0",
		`storage.publicHosts=["orders.vault.azure.net"]`:        "/storage/publicHosts/0",
		`keyVault.publicHosts=["orders.blob.core.windows.net"]`: "/keyVault/publicHosts/0",
		`sidecar.port=65536`:                                    "/sidecar/port",
		`sidecar.image="other"`:                                 "/sidecar",
		`hints=false`:                                           "/hints",
		`hints.enabled="no"`:                                    "/hints/enabled",
		`netInit.resources.limits=null`:                         "/netInit/resources",
		`tenantID="contoso"`:                                    "/tenantID",
		`subscriptionID="28A37578-CD01-54F5-804A-52E"`:          "/subscriptionID",
		`resourceGroup=""`:                                      "/resourceGroup",
		`azureEnvironment="AzureCloud"`:                         "/azureEnvironment",
		`location="West Europe"`:                                "/location",
		`entraIssuerResources="https://a"`:                      "/entraIssuerResources",
		`federation.issuerURL="http://issuer.example"`:          "/federation/issuerURL",
		`federation.issuerURL="https://issuer.example/"`:        "/federation/issuerURL",
		`federation.issuerURL="https://a.example?b=c"`:          "/federation/issuerURL",
		`federation.issuerURL="https://me@a.example"`:           "/federation/issuerURL",
		`federation.clusterName="EU 1"`:                         "/federation/clusterName",
		`federation.keys.keep="a week"`:                         "/federation/keys/keep",
		`federation.proxy="proxy:3128"`:                         "/federation/proxy",
		`federation.caBundle="none"`:                            "/federation/caBundle",
		`workloadIdentity.localTokenEndpoint="yes"`:             "/workloadIdentity/localTokenEndpoint",
		`workloadIdentity.tokenEndpoint=true`:                   "/workloadIdentity",
		`logLevel="loud"`:                                       "/logLevel",
		`image.pullPolicy="Sometimes"`:                          "/image/pullPolicy",
		`networkPolicy.metricsFrom=[{}]`:                        "/networkPolicy/metricsFrom/0",
		`podDisruptionBudget.maxUnavailable=0`:                  "/podDisruptionBudget/maxUnavailable",
		`crds.install="no"`:                                     "/crds/install",
		`signer.keys.kms=["file:///key"]`:                       "/signer/keys/kms/0",
		`signer.keys.kms=["openbao://a","openbao://a"]`:         "/signer/keys/kms",
		`signer.env=[{"value":"x"}]`:                            "/signer/env/0",
		`signer.volumes=[{"name":"a","hostPath":{}}]`:           "/signer/volumes/0",
		`signer.podLabels={"app.kubernetes.io/name":"x"}`:       "/signer/podLabels",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			output, err := template(t, value)
			if err == nil {
				t.Fatal("the chart accepts it")
			}
			if !strings.Contains(output, key) {
				t.Errorf("message does not name %s:\n%s", key, output)
			}
		})
	}
}

func TestValidValueIsAccepted(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		`global={"anything":{"of":"a parent chart"}}`,
		`controller.replicas=1`,
		`controller.affinity={"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[]}}}`,
		`controller.topologySpreadConstraints=[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]`,
		`issuer.priorityClassName=""`,
		`issuer.podLimits={"requestsPerSecond":2.5,"burst":100000,"concurrent":1}`,
		`issuer.tolerations=[]`,
		`sidecar.resources={"requests":{"cpu":0.1,"memory":"8Mi"},"limits":{"cpu":1,"memory":"1Gi"}}`,
		`sidecar.interception="address"`,
		`sidecar.port=1024`,
		`keyVault.publicHosts=["orders.vault.azure.net","vault.usgovcloudapi.net"]`,
		`storage.publicHosts=["orders.blob.core.windows.net","table.core.chinacloudapi.cn"]`,
		`entraIssuerResources=[]`,
		`image={"repository":"registry.example:5000/kube-imds","pullSecrets":[{"name":"registry"}]}`,
		`podDisruptionBudget.maxUnavailable="50%"`,
		`networkPolicy.metricsFrom=[{"ipBlock":{"cidr":"10.0.0.0/8"}}]`,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			if output, err := template(t, value); err != nil {
				t.Error(output)
			}
		})
	}
}

func TestChartIsClean(t *testing.T) {
	t.Parallel()
	if output, err := helm(t, "lint", "--strict", chartPath); err != nil {
		t.Error(output)
	}
}
