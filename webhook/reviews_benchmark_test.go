package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// reviewOfSmallPod is of a Deployment's pod with one container, reviewOfLargePod of one with five and all that containers have.
func reviewOfSmallPod(b *testing.B) []byte { return reviewOf(b, deployed(1, 3, 0)) }
func reviewOfLargePod(b *testing.B) []byte { return reviewOf(b, deployed(5, 40, 8)) }

// deployed returns a pod as the API server sends it, with its defaults.
func deployed(containers, variables, mounts int) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "cashier-5d78c9869d-", Namespace: "shop",
			Labels:      map[string]string{"app.kubernetes.io/name": "cashier", "pod-template-hash": "5d78c9869d"},
			Annotations: map[string]string{"kube-imds.io/identity": "orders", "prometheus.io/scrape": "true"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "cashier-5d78c9869d", UID: "7c1b4a3e-3f0a-4c55-9d1c-0c4a3d7f4f10",
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyAlways, TerminationGracePeriodSeconds: new(int64(30)), DNSPolicy: corev1.DNSClusterFirst,
			ServiceAccountName: "cashier", DeprecatedServiceAccount: "cashier", SecurityContext: &corev1.PodSecurityContext{},
			SchedulerName: "default-scheduler", EnableServiceLinks: new(true), PreemptionPolicy: new(corev1.PreemptLowerPriority), Priority: new(int32(0)),
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
				{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
			},
			Volumes: []corev1.Volume{accessVolume()},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable},
	}
	for n := range mounts {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint("settings-", n), VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: fmt.Sprint("settings-", n)}}}})
	}
	for n := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, deployedContainer(n, variables, mounts))
	}
	return pod
}

// accessVolume is the volume that the ServiceAccount admission plugin adds.
func accessVolume() corev1.Volume {
	return corev1.Volume{Name: "kube-api-access-x7k2p", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(0o644)),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: new(int64(3607)), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"}}}}},
		},
	}}}
}

func deployedContainer(n, variables, mounts int) corev1.Container {
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("512Mi")}
	probe := &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080), Scheme: "HTTP"}},
		TimeoutSeconds: 1, PeriodSeconds: 10, SuccessThreshold: 1, FailureThreshold: 3,
	}
	container := corev1.Container{
		Name: fmt.Sprint("app-", n), Image: "registry.example/shop/cashier@sha256:" + strings.Repeat("5d78c986", 8),
		Ports:     []corev1.ContainerPort{{Name: "http", ContainerPort: int32(8080 + n), Protocol: corev1.ProtocolTCP}},
		Resources: corev1.ResourceRequirements{Requests: amounts, Limits: amounts}, LivenessProbe: probe, ReadinessProbe: probe,
		VolumeMounts:           []corev1.VolumeMount{{Name: "kube-api-access-x7k2p", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"}},
		TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
	}
	for i := range variables {
		container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprint("SETTING_", i), Value: "a value such as people set: http://orders.shop.svc:8080/" + fmt.Sprint(i)})
	}
	for i := range mounts {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: fmt.Sprint("settings-", i), MountPath: fmt.Sprint("/etc/settings/", i)})
	}
	return container
}

// reviewOf returns the API server's request to admit a pod.
func reviewOf(b *testing.B, pod *corev1.Pod) []byte {
	b.Helper()
	pod.ManagedFields = []metav1.ManagedFieldsEntry{{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1", Time: new(metav1.NewTime(time.Unix(1_700_000_000, 0))),
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(marshal(b, fieldsOf(unmarshal(b, marshal(b, pod)))))),
	}}
	resource := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	return marshal(b, admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "0df28fbd-5f5f-11e8-bc74-36e6bb280816", Kind: kind, Resource: resource, RequestKind: &kind, RequestResource: &resource,
			Namespace: "shop", Operation: admissionv1.Create, DryRun: new(false),
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller", UID: "2e0d7a0e-74b4-4ad0-a9e7-6c0d5d1d3f0b",
				Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
				Extra:  map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/credential-id": {"JTI=7ee52be0-9045-4653-aa5e-0da57b8dccdc"}},
			},
			Object:  runtime.RawExtension{Raw: marshal(b, pod)},
			Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
		},
	})
}

// fieldsOf returns the managed fields of all of an object.
func fieldsOf(value any) map[string]any {
	fields := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for name, value := range value {
			fields["f:"+name] = fieldsOf(value)
		}
	case []any:
		for _, item := range value {
			if name := nameIn(item); name != "" {
				fields[fmt.Sprintf(`k:{"name":%q}`, name)] = fieldsOf(item)
			}
		}
	}
	return fields
}

func nameIn(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

func marshal(b *testing.B, value any) []byte {
	b.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		b.Fatal(err)
	}
	return content
}

func unmarshal(b *testing.B, content []byte) any {
	b.Helper()
	var value any
	if err := json.Unmarshal(content, &value); err != nil {
		b.Fatal(err)
	}
	return value
}
