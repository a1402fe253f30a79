package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/install"
)

const withStorage = "storage.enabled=true"

func TestStorageIsOffByDefault(t *testing.T) {
	t.Parallel()
	for _, object := range render(t) {
		if strings.Contains(object.GetName(), "storage") && object.GetKind() != "CustomResourceDefinition" {
			t.Errorf("%s %s is there", object.GetKind(), object.GetName())
		}
	}
}

// Azurite believes whoever reaches it: nothing but the gate, in the same pod, does.
func TestNothingLeadsToAzurite(t *testing.T) {
	t.Parallel()
	rendered := render(t, withStorage)
	pod := storagePod(t, rendered)
	azurite := pod.Spec.Containers[1]
	if azurite.Name != string(install.Azurite) || len(azurite.Ports) > 0 {
		t.Errorf("container %s has ports %v", azurite.Name, azurite.Ports)
	}
	if diff := cmp.Diff([]string{"--location", "/data/azurite"}, azurite.Args); diff != "" {
		t.Error("start.js says where it listens; arguments (-want +got)\n" + diff)
	}
	for name, port := range map[string]int32{"https": install.APIPort, "metrics": install.MetricsPort, "health": install.HealthPort} {
		if got := containerPort(*pod, name); got != port {
			t.Errorf("port %s is %d, want %d", name, got, port)
		}
	}
	for _, service := range install.StorageServices {
		headless := as[corev1.Service](t, rendered.named(t, "Service", service))
		if headless.Spec.ClusterIP != corev1.ClusterIPNone || headless.Spec.Selector != nil {
			t.Errorf("Service %s: %+v", service, headless.Spec)
		}
	}
	gate := as[corev1.Service](t, rendered.named(t, "Service", "kube-imds-storage-gate"))
	for key, value := range gate.Spec.Selector {
		if pod.Labels[key] != value {
			t.Errorf("the Service selects %s=%s, and the pod has %q", key, value, pod.Labels[key])
		}
	}
	if len(gate.Spec.Ports) != 1 || gate.Spec.Ports[0].TargetPort.StrVal != "https" {
		t.Errorf("ports = %v", gate.Spec.Ports)
	}
}

// Two processes cannot write Azurite's files.
func TestThereIsOneAzurite(t *testing.T) {
	t.Parallel()
	deployment := as[appsv1.Deployment](t, render(t, withStorage).named(t, "Deployment", "kube-imds-storage-gate"))
	if *deployment.Spec.Replicas != 1 || deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("%d replicas, strategy %s", *deployment.Spec.Replicas, deployment.Spec.Strategy.Type)
	}
}

func TestStorageIsPersistedOnDemand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values []string
		claim  string
		made   bool
	}{
		"by default":         {nil, "", false},
		"in a new volume":    {[]string{"storage.persistence.enabled=true"}, "kube-imds-storage", true},
		"in an older volume": {[]string{"storage.persistence.enabled=true", "storage.persistence.existingClaim=\"mine\""}, "mine", false},
	} {
		rendered := render(t, append(test.values, withStorage)...)
		volumes := storagePod(t, rendered).Spec.Volumes
		data := volumes[slices.IndexFunc(volumes, func(volume corev1.Volume) bool { return volume.Name == "data" })]
		claim := ""
		if data.PersistentVolumeClaim != nil {
			claim = data.PersistentVolumeClaim.ClaimName
		}
		if claim != test.claim || (claim == "") != (data.EmptyDir != nil) || data.EmptyDir != nil && data.EmptyDir.SizeLimit == nil {
			t.Errorf("%s: %+v", name, data.VolumeSource)
		}
		if made := len(rendered.ofKind("PersistentVolumeClaim")) > 0; made != test.made {
			t.Errorf("%s: a claim is made: %t", name, made)
		}
	}
}

func TestStoragePodHasLimits(t *testing.T) {
	t.Parallel()
	for _, container := range storagePod(t, render(t, withStorage)).Spec.Containers {
		for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			_, requested := container.Resources.Requests[resource]
			_, limited := container.Resources.Limits[resource]
			if !requested || !limited {
				t.Errorf("container %s: %+v", container.Name, container.Resources)
			}
		}
	}
}

// The API server itself checks that the pod meets Pod Security's restricted profile.
func testStorageMeetsPodSecurityRestricted(t *testing.T, server apiServer) {
	const strict = "strict-storage"
	create(t, server, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: strict, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}})
	template := storagePod(t, render(t, withStorage))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: strict, GenerateName: "pod-", Labels: template.Labels}, Spec: template.Spec}
	if err := server.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Error(err)
	}
}

func storagePod(t *testing.T, rendered objects) *corev1.PodTemplateSpec {
	t.Helper()
	deployment := as[appsv1.Deployment](t, rendered.named(t, "Deployment", "kube-imds-storage-gate"))
	if count := len(deployment.Spec.Template.Spec.Containers); count != 2 {
		t.Fatalf("the pod has %d containers", count)
	}
	return &deployment.Spec.Template
}
