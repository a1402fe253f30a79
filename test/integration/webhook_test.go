package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// The API server calls the webhook by the chart's configuration, and accepts its patches.
func TestWebhook(t *testing.T) {
	t.Parallel()
	s := webhookStart(t)
	for _, namespace := range []*corev1.Namespace{
		{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		{ObjectMeta: metav1.ObjectMeta{Name: "all", Labels: map[string]string{v1alpha1.InjectLabel: v1alpha1.InjectEnabled}}},
	} {
		s.webhookCreate(t, namespace)
		s.webhookCreate(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: namespace.Name}})
		s.webhookCreate(t, webhookStorageLimit(namespace.Name))
	}
	t.Run("while it is down", s.testDown)
	s.bringUp(t)
	s.webhookIdentity(t, build.NewIdentity("orders").Admitting("shop", "*").Ready())
	s.webhookIdentity(t, build.NewIdentity("closed").Ready())
	t.Run("who is injected", s.testInjected)
	t.Run("who is denied", s.testDenied)
	t.Run("manifest of workload identity", s.testWorkloadIdentity)
	t.Run("trust and hosts of Azure", s.testTrustAndHosts)
	t.Run("pods of controllers", s.testTemplates)
	t.Run("validation", s.testValidation)
}

// The API server finds an identity by its client ID, for a pod that is created together with it, and accepts the pod.
func (s *webhookServer) testWorkloadIdentity(t *testing.T) {
	const clientID = "5f0d1d8c-0000-4000-8000-0000000000c2"
	identity := build.NewIdentity("aks").Admitting("shop", "aks").WithClientID(clientID)
	identity.Spec.TokenSource, identity.Spec.TenantID = v1alpha1.TokenSourceEntra, "72f988bf-86f1-41af-91ab-2d7cd011db47"
	s.webhookCreate(t, identity.ManagedIdentity)
	s.webhookCreate(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "aks", Annotations: map[string]string{workloadidentity.ClientIDAnnotation: clientID},
	}})
	pod := webhookPod("shop", "")
	pod.Labels, pod.Spec.ServiceAccountName = map[string]string{workloadidentity.UseLabel: "true"}, "aks"
	s.webhookCreate(t, pod)
	values := map[string]string{}
	for _, variable := range pod.Spec.Containers[0].Env {
		values[variable.Name] = variable.Value
	}
	if values["AZURE_CLIENT_ID"] != clientID || values["AZURE_FEDERATED_TOKEN_FILE"] == "" || pod.Annotations[v1alpha1.WorkloadIdentityAnnotation] != "aks" {
		t.Errorf("variables = %v, annotations %v", values, pod.Annotations)
	}
}

// The API server accepts what a pod gets that asks for trust and for hosts of Azure, with resources that are created together with it, and
// denies one whose host nobody declares.
func (s *webhookServer) testTrustAndHosts(t *testing.T) {
	const vaultHost, blobHost = "orders.vault.azure.net", "orders.blob.core.windows.net"
	addresses := map[*azurehost.Kind]string{}
	for kind, key := range webhookServices {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 443}}},
		}
		s.webhookCreate(t, service)
		addresses[kind] = service.Spec.ClusterIP
	}
	asking := func(hosts string) *corev1.Pod {
		return webhookPod("shop", "orders", webhookAnnotated(v1alpha1.TrustAnnotation, "true"), webhookAnnotated(v1alpha1.AzureHostsAnnotation, hosts))
	}
	for _, host := range []string{vaultHost, blobHost} {
		if err := s.Create(t.Context(), asking(host)); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "add it to spec.publicHosts of one") {
			t.Errorf("before anybody declares %s: error %v", host, err)
		}
	}
	named := metav1.ObjectMeta{Namespace: "shop", Name: "orders"}
	s.webhookCreate(t, &v1alpha1.KeyVault{ObjectMeta: named, Spec: v1alpha1.KeyVaultSpec{PublicHosts: []v1alpha1.VaultHost{vaultHost}}})
	s.webhookCreate(t, &v1alpha1.StorageAccount{ObjectMeta: named, Spec: v1alpha1.StorageAccountSpec{PublicHosts: []v1alpha1.StorageHost{blobHost}}})
	pod := asking(vaultHost + "," + blobHost)
	s.webhookCreate(t, pod)
	want := []corev1.HostAlias{
		{IP: addresses[azurehost.KeyVaults], Hostnames: []string{vaultHost}}, {IP: addresses[azurehost.StorageAccounts], Hostnames: []string{blobHost}},
	}
	if diff := cmp.Diff(want, pod.Spec.HostAliases); diff != "" {
		t.Errorf("hostAliases (-want +got)\n%s", diff)
	}
	trusting := func(container corev1.Container) int {
		count := 0
		for _, mount := range container.VolumeMounts {
			if mount.Name == "kube-imds-trust" {
				count++
			}
		}
		return count
	}
	if app, sidecar := trusting(pod.Spec.Containers[0]), trusting(pod.Spec.InitContainers[1]); app != 1 || sidecar != 1 {
		t.Errorf("the application mounts the authorities %d times, the sidecar %d times", app, sidecar)
	}
}

// An outage affects only pods that ask.
func (s *webhookServer) testDown(t *testing.T) {
	eventually(t, func(ctx context.Context) string {
		if err := s.Create(ctx, webhookPod("shop", "orders"), client.DryRunAll); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			return fmt.Sprintf("a pod that asks is not refused: %v", err)
		}
		return ""
	})
	for name, pod := range map[string]*corev1.Pod{
		"did not ask":                       webhookPod("shop", ""),
		"declines":                          webhookPod("shop", "orders", webhookAnnotated(v1alpha1.InjectAnnotation, "false")),
		"declines in a namespace that asks": webhookPod("all", "", webhookAnnotated(v1alpha1.InjectAnnotation, "false")),
		"empty annotation":                  webhookPod("shop", "", webhookAnnotated(v1alpha1.IdentityAnnotation, "")),
		"was injected":                      webhookPod("shop", "", webhookAnnotated(v1alpha1.InjectedAnnotation, "sidecar")),
		"unknown value":                     webhookPod("shop", "", webhookAnnotated(v1alpha1.InjectAnnotation, "maybe")),
	} {
		if err := s.Create(t.Context(), pod); err != nil {
			t.Errorf("a pod that %s is refused: %v", name, err)
		}
	}
	for name, pod := range map[string]*corev1.Pod{
		"asks for IMDS":               webhookPod("shop", "", webhookAnnotated(v1alpha1.InjectAnnotation, "true")),
		"is of a namespace that asks": webhookPod("all", ""),
	} {
		if err := s.Create(t.Context(), pod); !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Errorf("a pod that %s: %v", name, err)
		}
	}
}

func (s *webhookServer) testInjected(t *testing.T) {
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		granted string
	}{
		"asks for an identity":        {webhookPod("shop", "orders"), "orders"},
		"asks for IMDS":               {webhookPod("shop", "", webhookAnnotated(v1alpha1.InjectAnnotation, "true")), ""},
		"is of a namespace that asks": {webhookPod("all", ""), ""},
		"has init containers": {webhookPod("shop", "orders", func(pod *corev1.Pod) {
			pod.Spec.InitContainers = []corev1.Container{{Name: "migrate", Image: "registry.example/migrate"}}
		}), "orders"},
	} {
		if err := s.Create(t.Context(), test.pod); err != nil {
			t.Errorf("a pod that %s: %v", name, err)
			continue
		}
		checkInjected(t, test.pod)
		if got := test.pod.Annotations[v1alpha1.GrantedAnnotation]; got != test.granted {
			t.Errorf("a pod that %s is granted %q", name, got)
		}
	}
	declining := webhookPod("all", "", webhookAnnotated(v1alpha1.InjectAnnotation, "false"))
	if err := s.Create(t.Context(), declining); err != nil || len(declining.Spec.InitContainers) != 0 {
		t.Errorf("a pod that declines: error %v, containers %v", err, declining.Spec.InitContainers)
	}
}

// checkInjected checks a pod that the API server has created.
func checkInjected(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	containers := pod.Spec.InitContainers
	if len(containers) < 2 || containers[0].Name != "kube-imds-net-init" || containers[1].Name != "kube-imds" {
		t.Errorf("init containers = %v", containers)
		return
	}
	if policy := containers[1].RestartPolicy; policy == nil || *policy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("restartPolicy of the sidecar = %v", policy)
	}
	// Our containers must not have the ServiceAccount's token for the API server.
	for i, want := range []string{"", "kube-imds-token"} {
		var mounted []string
		for _, mount := range containers[i].VolumeMounts {
			mounted = append(mounted, mount.Name)
		}
		if got := strings.Join(mounted, ","); got != want {
			t.Errorf("%s: volumes = %q, want %q", containers[i].Name, got, want)
		}
	}
	for _, container := range containers[:2] {
		if _, limited := container.Resources.Limits[corev1.ResourceEphemeralStorage]; !limited || container.ImagePullPolicy != corev1.PullAlways {
			t.Errorf("%s: pull policy = %s, limits = %v", container.Name, container.ImagePullPolicy, container.Resources.Limits)
		}
	}
	if sysctls := pod.Spec.SecurityContext.Sysctls; len(sysctls) != 0 {
		t.Errorf("the pod's own processes got more rights by %v", sysctls)
	}
}

func (s *webhookServer) testDenied(t *testing.T) {
	for pod, want := range map[*corev1.Pod]string{
		webhookPod("shop", "closed"):     `kube-imds: ManagedIdentity "closed" does not admit the ServiceAccount "default" of namespace "shop"`,
		webhookPod("shop", "nobody"):     `kube-imds: ManagedIdentity "nobody" does not exist`,
		webhookPod("shop", "a/b"):        `kube-imds: ManagedIdentity "a/b" does not exist`,
		webhookPod("shop", "not a name"): `kube-imds: ManagedIdentity "not a name" does not exist`,
		webhookPod("shop", "orders", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }): "kube-imds: a pod with hostNetwork has no network of its own",
		webhookPod("all", "", func(pod *corev1.Pod) { pod.Spec.HostNetwork = true }):        `decline with the annotation kube-imds.io/inject: "false"`,
	} {
		if err := s.Create(t.Context(), pod); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// The API server admits pods that controllers create from templates.
func (s *webhookServer) testTemplates(t *testing.T) {
	template := func(restart corev1.RestartPolicy) corev1.PodTemplateSpec {
		pod := webhookPod("shop", "orders", func(pod *corev1.Pod) { pod.Spec.RestartPolicy = restart })
		pod.Labels = map[string]string{"app": "orders"}
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec}
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "orders"}}, Template: template(corev1.RestartPolicyAlways)}}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"}, Spec: batchv1.JobSpec{Template: template(corev1.RestartPolicyNever)}}
	s.webhookCreate(t, deployment)
	s.webhookCreate(t, job)
	for _, template := range []corev1.PodTemplateSpec{deployment.Spec.Template, job.Spec.Template} {
		if len(template.Spec.InitContainers) != 0 {
			t.Errorf("the template changed: %v", template.Spec.InitContainers)
		}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", GenerateName: "orders-",
			Labels: template.Labels, Annotations: template.Annotations}, Spec: template.Spec}
		s.webhookCreate(t, pod)
		checkInjected(t, pod)
	}
}

func (s *webhookServer) testValidation(t *testing.T) {
	s.warnings.take()
	s.webhookCreate(t, build.NewBinding("shop", "b").Of("default").To("orders", "unknown").IdentityBinding)
	if diff := cmp.Diff([]string{`ManagedIdentity "unknown" does not exist yet`}, s.warnings.take()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	likes := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Likes"}}}
	err := s.Create(t.Context(), build.NewIdentity("selecting").AdmittingSelected(likes, "*").ManagedIdentity)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "spec.assumableBy[0].namespaceSelector") {
		t.Errorf("invalid selector: %v", err)
	}
}

// webhookStorageLimit sets a limit in every container that ours do not have.
func webhookStorageLimit(namespace string) *corev1.LimitRange {
	return &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "storage", Namespace: namespace}, Spec: corev1.LimitRangeSpec{
		Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{
			corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")}}}}}
}

func webhookAnnotated(name, value string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		if pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		pod.Annotations[name] = value
	}
}
