package chart

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/kube-imds/kube-imds/internal/install"
)

// The names are those of docs/design/parts.md: other parts and documents count on them.
func TestNamesAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	rendered := render(t)
	policies := []string{"kube-imds-namespace-hint", "kube-imds-template-hint", "kube-imds-token", "kube-imds-trust", "kube-imds-webhooks"}
	for kind, names := range map[string][]string{
		"Deployment":                       {"kube-imds-controller", "kube-imds-oidc", "kube-imds-signer"},
		"DaemonSet":                        {"kube-imds-issuer"},
		"ServiceAccount":                   {"kube-imds-controller", "kube-imds-issuer", "kube-imds-oidc", "kube-imds-signer"},
		"Service":                          {"kube-imds-issuer", "kube-imds-oidc", "kube-imds-signer", "kube-imds-webhook"},
		"PodDisruptionBudget":              {"kube-imds-controller", "kube-imds-oidc", "kube-imds-signer"},
		"NetworkPolicy":                    {"kube-imds-controller", "kube-imds-issuer", "kube-imds-oidc", "kube-imds-signer"},
		"Secret":                           {"kube-imds-ca", "kube-imds-signing-keys"},
		"ConfigMap":                        {"kube-imds-ca", "kube-imds-keys"},
		"MutatingWebhookConfiguration":     {"kube-imds"},
		"ValidatingWebhookConfiguration":   {"kube-imds"},
		"ValidatingAdmissionPolicy":        policies,
		"ValidatingAdmissionPolicyBinding": policies,
	} {
		var got []string
		for _, object := range rendered.ofKind(kind) {
			if !isHook(object.GetAnnotations()) {
				got = append(got, object.GetName())
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", kind, diff)
		}
	}
}

func TestServicesReachThePartsPorts(t *testing.T) {
	t.Parallel()
	rendered := render(t)
	pods := podsOf(t, rendered)
	for service, want := range map[string]struct {
		part string
		port int32
	}{
		"kube-imds-webhook": {"Deployment/kube-imds-controller", install.WebhookPort},
		"kube-imds-oidc":    {"Deployment/kube-imds-oidc", install.APIPort},
		"kube-imds-signer":  {"Deployment/kube-imds-signer", install.APIPort},
		"kube-imds-issuer":  {"DaemonSet/kube-imds-issuer", install.APIPort},
	} {
		service := as[corev1.Service](t, rendered.named(t, "Service", service))
		pod := pods[want.part]
		for key, value := range service.Spec.Selector {
			if pod.Labels[key] != value {
				t.Errorf("%s selects %s=%s, and the pods of %s have %q", service.Name, key, value, want.part, pod.Labels[key])
			}
		}
		if service.Spec.Ports[0].Port != 443 {
			t.Errorf("%s has port %d", service.Name, service.Spec.Ports[0].Port)
		}
		target := service.Spec.Ports[0].TargetPort.StrVal
		if got := containerPort(pod, target); got != want.port {
			t.Errorf("%s reaches port %d (%s), want %d", service.Name, got, target, want.port)
		}
	}
	issuer := as[corev1.Service](t, rendered.named(t, "Service", "kube-imds-issuer"))
	if policy := issuer.Spec.InternalTrafficPolicy; policy == nil || *policy != corev1.ServiceInternalTrafficPolicyLocal {
		t.Error("the issuer's Service reaches other nodes' issuers")
	}
}

// The chart repeats the constants of internal/install, because templates cannot read them.
func TestPodsHaveThePortsAndPathsOfTheirProcesses(t *testing.T) {
	t.Parallel()
	for name, pod := range podsOf(t, render(t)) {
		part := install.Part(pod.Spec.Containers[0].Name)
		ports := map[string]int32{"metrics": install.MetricsPort, "health": install.HealthPort}
		environment := []string{install.PodNamespace}
		switch part {
		case install.OIDC:
			ports["authority"] = install.AuthorityPort
		case install.Issuer:
			environment = append(environment, install.NodeName)
			if !mounts(pod, path.Dir(install.SignerTokenFile)) {
				t.Errorf("%s has no token for the signer at %s", name, install.SignerTokenFile)
			}
		case install.Controller, install.Signer:
		default:
			continue // the chart's test
		}
		for port, want := range ports {
			if got := containerPort(pod, port); got != want {
				t.Errorf("port %s of %s is %d, want %d", port, name, got, want)
			}
		}
		for _, variable := range environment {
			if !slices.ContainsFunc(pod.Spec.Containers[0].Env, func(set corev1.EnvVar) bool { return set.Name == variable }) {
				t.Errorf("%s has no variable %s", name, variable)
			}
		}
		if want := (install.Names{Name: "kube-imds"}).ServiceAccount(part); pod.Spec.ServiceAccountName != want {
			t.Errorf("%s runs as %s, want %s", name, pod.Spec.ServiceAccountName, want)
		}
	}
}

func mounts(pod corev1.PodTemplateSpec, at string) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.MountPath == at })
}

func TestContainersHaveRequestsAndLimits(t *testing.T) {
	t.Parallel()
	for name, pod := range podsOf(t, render(t)) {
		for _, container := range containersOf(pod) {
			for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if _, ok := container.Resources.Requests[resource]; !ok {
					t.Errorf("%s: container %s has no request for %s", name, container.Name, resource)
				}
				if _, ok := container.Resources.Limits[resource]; !ok {
					t.Errorf("%s: container %s has no limit for %s", name, container.Name, resource)
				}
			}
		}
	}
}

// The garbage collector works harder before a part of a large cluster runs out of memory.
func TestContainersHaveGOMEMLIMIT(t *testing.T) {
	t.Parallel()
	for name, pod := range podsOf(t, render(t)) {
		if strings.HasPrefix(name, "Job/") {
			continue
		}
		for _, container := range containersOf(pod) {
			i := slices.IndexFunc(container.Env, func(variable corev1.EnvVar) bool { return variable.Name == "GOMEMLIMIT" })
			if i < 0 || container.Env[i].ValueFrom.ResourceFieldRef.Resource != "limits.memory" {
				t.Errorf("%s: environment = %v", name, container.Env)
			}
		}
	}
}

func TestValuesReachThePods(t *testing.T) {
	t.Parallel()
	pods := podsOf(t, render(t,
		`image={"repository":"registry.example/imds","tag":"9.9.9","pullPolicy":"Never","pullSecrets":[{"name":"registry"}]}`,
		`issuer.priorityClassName="mine"`,
		`issuer.nodeSelector={"pool":"apps"}`,
		`issuer.resources={"requests":{"cpu":"1m","memory":"2Mi"},"limits":{"cpu":"3m","memory":"4Mi"}}`,
		`issuer.podLimits={"requestsPerSecond":2.5,"burst":100000,"concurrent":3}`, `issuer.requirePodAddress=false`,
		`workloadIdentity.localTokenEndpoint=true`,
	))
	issuer := pods["DaemonSet/kube-imds-issuer"].Spec
	if got := issuer.Containers[0].Image; got != "registry.example/imds/issuer:9.9.9" {
		t.Error("image", got)
	}
	if got := issuer.Containers[0].ImagePullPolicy; got != corev1.PullNever {
		t.Error("pull policy", got)
	}
	if diff := cmp.Diff([]corev1.LocalObjectReference{{Name: "registry"}}, issuer.ImagePullSecrets); diff != "" {
		t.Error("pull secrets", diff)
	}
	if issuer.PriorityClassName != "mine" || issuer.NodeSelector["pool"] != "apps" {
		t.Errorf("priority class = %q, node selector = %v", issuer.PriorityClassName, issuer.NodeSelector)
	}
	if got := issuer.Containers[0].Resources.Limits.Memory().String(); got != "4Mi" {
		t.Error("memory limit", got)
	}
	for _, flag := range []string{"--pod-requests-per-second=2.5", "--pod-burst=100000", "--pod-concurrent=3", "--any-address", "--token-endpoint"} {
		if !slices.Contains(issuer.Containers[0].Args, flag) {
			t.Errorf("issuer's arguments = %[2]v, want %[1]s", flag, issuer.Containers[0].Args)
		}
	}
}

// An installation certifies names of Azure only on demand, and those of each kind only if it serves that.
func TestPublicHostsReachTheController(t *testing.T) {
	t.Parallel()
	const (
		vaults, vaultFlag     = `keyVault.publicHosts=["orders.vault.azure.net","vault.azure.cn"]`, "--public-vault-hosts=orders.vault.azure.net,vault.azure.cn"
		accounts, accountFlag = `storage.publicHosts=["orders.blob.core.windows.net"]`, "--public-storage-hosts=orders.blob.core.windows.net"
	)
	for name, test := range map[string]struct {
		values []string
		want   []string
	}{
		"by default":    {[]string{"keyVault.enabled=true", "storage.enabled=true"}, nil},
		"without any":   {[]string{vaults, accounts}, nil},
		"with vaults":   {[]string{"keyVault.enabled=true", vaults, accounts}, []string{vaultFlag}},
		"with accounts": {[]string{"storage.enabled=true", vaults, accounts}, []string{accountFlag}},
		"with both":     {[]string{"keyVault.enabled=true", "storage.enabled=true", vaults, accounts}, []string{vaultFlag, accountFlag}},
	} {
		var got []string
		for _, arg := range podsOf(t, render(t, test.values...))["Deployment/kube-imds-controller"].Spec.Containers[0].Args {
			if strings.HasPrefix(arg, "--public-") {
				got = append(got, arg)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: the controller's arguments (-want +got)\n%s", name, diff)
		}
	}
}

func TestIssuersHaveNoTokenEndpointByDefault(t *testing.T) {
	t.Parallel()
	if args := podsOf(t, render(t))["DaemonSet/kube-imds-issuer"].Spec.Containers[0].Args; slices.Contains(args, "--token-endpoint") {
		t.Errorf("issuer's arguments = %v", args)
	}
}

func TestIssuerRunsOnEveryNode(t *testing.T) {
	t.Parallel()
	want := []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	got := podsOf(t, render(t))["DaemonSet/kube-imds-issuer"].Spec.Tolerations
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

// A part that can create tokens of another ServiceAccount, or Secrets with them, can become that ServiceAccount.
func TestNoPartCanBecomeAnotherServiceAccount(t *testing.T) {
	t.Parallel()
	for _, role := range append(render(t).ofKind("ClusterRole"), render(t).ofKind("Role")...) {
		for _, rule := range as[rbacv1.Role](t, role).Rules {
			for _, resource := range rule.Resources {
				switch {
				case resource == "*" || slices.Contains(rule.Verbs, "*") || slices.Contains(rule.APIGroups, "*"):
					t.Errorf("%s grants everything: %v", role.GetName(), rule)
				case resource == "serviceaccounts/token", strings.HasPrefix(resource, "pods/"):
					t.Errorf("%s grants %s", role.GetName(), resource)
				case resource == "secrets" && (slices.Contains(rule.Verbs, "create") || len(rule.ResourceNames) != 1):
					t.Errorf("%s grants more than one Secret: %v", role.GetName(), rule)
				}
			}
			for _, verb := range []string{"impersonate", "escalate", "bind"} {
				if slices.Contains(rule.Verbs, verb) {
					t.Errorf("%s grants %s", role.GetName(), verb)
				}
			}
		}
	}
}

func TestIssuerWritesOnlyCertificateRequests(t *testing.T) {
	t.Parallel()
	role := as[rbacv1.ClusterRole](t, render(t).named(t, "ClusterRole", "kube-imds-issuer"))
	written := map[string][]string{}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				if !slices.Contains([]string{"get", "list", "watch"}, verb) {
					written[resource] = append(written[resource], verb)
				}
			}
		}
	}
	want := map[string][]string{"certificatesigningrequests": {"create"}}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

func TestDefinitionsAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	generated := filesIn(t, "../../api/v1alpha1/crd")
	copied := filesIn(t, filepath.Join(chartPath, "files/crds"))
	if diff := cmp.Diff(generated, copied); diff != "" {
		t.Fatal("charts/kube-imds/files/crds is not a copy of api/v1alpha1/crd: run make generate (-api +chart)", diff)
	}
	rendered := render(t)
	for name, text := range generated {
		var want apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		got := as[apiextensionsv1.CustomResourceDefinition](t, rendered.named(t, "CustomResourceDefinition", want.Name))
		if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
			t.Errorf("%s (-config +chart)\n%s", name, diff)
		}
	}
}

func TestDefinitionsAreKeptOnDemand(t *testing.T) {
	t.Parallel()
	for keep, want := range map[string]string{"false": "", "true": "keep"} {
		for _, definition := range render(t, "crds.keep="+keep).ofKind("CustomResourceDefinition") {
			if got := definition.GetAnnotations()["helm.sh/resource-policy"]; got != want {
				t.Errorf("keep=%s: %s has resource policy %q", keep, definition.GetName(), got)
			}
		}
	}
	if got := render(t, "crds.install=false").ofKind("CustomResourceDefinition"); len(got) != 0 {
		t.Errorf("%d definitions are rendered although disabled", len(got))
	}
}

func TestQuotaAdmitsSystemPriorityClasses(t *testing.T) {
	t.Parallel()
	quota := as[corev1.ResourceQuota](t, render(t).named(t, "ResourceQuota", "kube-imds"))
	want := []string{"system-cluster-critical", "system-node-critical"}
	if diff := cmp.Diff(want, quota.Spec.ScopeSelector.MatchExpressions[0].Values); diff != "" {
		t.Error("(-want +got)", diff)
	}
	none := render(t, `controller.priorityClassName=""`, `issuer.priorityClassName="mine"`, `signer.priorityClassName=""`, `oidc.priorityClassName=""`)
	if len(none.ofKind("ResourceQuota")) != 0 {
		t.Error("unneeded quota for priority classes")
	}
}

// podsOf returns the pod templates of the chart, by KIND/NAME.
func podsOf(t *testing.T, rendered objects) map[string]corev1.PodTemplateSpec {
	t.Helper()
	pods := map[string]corev1.PodTemplateSpec{}
	for _, object := range rendered {
		name := object.GetKind() + "/" + object.GetName()
		switch object.GetKind() {
		case "Deployment":
			pods[name] = as[appsv1.Deployment](t, object).Spec.Template
		case "DaemonSet":
			pods[name] = as[appsv1.DaemonSet](t, object).Spec.Template
		case "Job":
			pods[name] = as[batchv1.Job](t, object).Spec.Template
		}
	}
	if len(pods) < 5 {
		t.Fatalf("pods of the chart = %v", slices.Collect(maps.Keys(pods)))
	}
	return pods
}

func containersOf(pod corev1.PodTemplateSpec) []corev1.Container {
	return slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
}

func containerPort(pod corev1.PodTemplateSpec, name string) int32 {
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// isHook reports whether Helm creates an object for its test only.
func isHook(annotations map[string]string) bool {
	return annotations["helm.sh/hook"] != ""
}

func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has %d files: %v", dir, len(paths), err)
	}
	files := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(text)
	}
	return files
}

func TestInterceptionReachesTheController(t *testing.T) {
	t.Parallel()
	for values, want := range map[string][]string{
		"": {"--sidecar-interception=redirect", "--sidecar-port=15780"},
		`sidecar={"interception":"address","port":8080}`: {"--sidecar-interception=address", "--sidecar-port=8080"},
	} {
		var chosen []string
		if values != "" {
			chosen = append(chosen, values)
		}
		controller := podsOf(t, render(t, chosen...))["Deployment/kube-imds-controller"].Spec.Containers[0]
		for _, argument := range want {
			if !slices.Contains(controller.Args, argument) {
				t.Errorf("%q: arguments = %[3]v, want %[2]s", values, argument, controller.Args)
			}
		}
	}
}

func TestSidecarLimitsAreOptional(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{`sidecar.imdsLimits=true`: true, `sidecar.imdsLimits=false`: false} {
		controller := podsOf(t, render(t, value))["Deployment/kube-imds-controller"].Spec.Containers[0]
		if got := slices.Contains(controller.Args, "--sidecar-imds-limits"); got != want {
			t.Errorf("%s: arguments = %v", value, controller.Args)
		}
	}
}
