package issuer

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
)

// The parts that a cache drops must not be needed.
func TestSlimObjectsGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	w := newWorld(boundTo("orders", "bills"), withPod(func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "orders"}
		p.Annotations = map[string]string{
			v1alpha1.IdentityAnnotation: "bills", v1alpha1.UserDataAnnotation: "u", v1alpha1.CustomDataAnnotation: "c", "other": "x",
		}
		p.Spec.Hostname = "front"
		p.DeletionTimestamp, p.Finalizers = &now, []string{"test/finalizer"}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady}, {
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", LastTransitionTime: now,
		}}
		p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
		p.Spec.Containers = []corev1.Container{
			{Name: "app", Image: "app", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}},
			{Name: "helper"},
		}
		p.Status.PodIPs = []corev1.PodIP{{IP: "10.0.0.7"}}
	}), func(w *world) {
		w.node.Labels = map[string]string{corev1.LabelTopologyRegion: "westeurope"}
		w.node.Spec.ProviderID = "azure:///resource/resourceGroups/g/x"
		w.node.Spec.Taints = []corev1.Taint{
			{Key: "gpu", Effect: corev1.TaintEffectNoExecute, TimeAdded: new(metav1.NewTime(now.Add(-time.Hour)))},
			{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule, TimeAdded: new(metav1.NewTime(now.Add(-time.Minute)))},
		}
	})
	pod, node := slimmed[*corev1.Pod](t, slim.Pod, w.pod), slimmed[*corev1.Node](t, slim.Node, w.node)

	if diff := cmp.Diff(DescribeInstance(w.pod, w.node, someDefaults), DescribeInstance(pod, node, someDefaults)); diff != "" {
		t.Errorf("instance (-whole +slim):\n%s", diff)
	}
	if diff := cmp.Diff(DescribeEvents(w.pod, w.node), DescribeEvents(pod, node)); diff != "" {
		t.Errorf("events (-whole +slim):\n%s", diff)
	}
	if err := directory.CheckPod(pod, workload.Workload{
		Namespace: "shop", ServiceAccount: workload.Reference{Name: "orders"},
	}); err != nil {
		t.Errorf("pod is refused: %v", err)
	}
	service := loadBalancer("front", corev1.ServicePort{Name: "web", Port: 80, TargetPort: intstr.FromString("web"), Protocol: corev1.ProtocolTCP})
	service.Annotations = map[string]string{"other": "x"}
	front := slimmed[*corev1.Service](t, slim.Service, service)
	if diff := cmp.Diff(DescribeLoadBalancer(w.pod, []corev1.Service{*service}),
		DescribeLoadBalancer(pod, []corev1.Service{*front})); diff != "" {
		t.Errorf("load balancer (-whole +slim):\n%s", diff)
	}
	if front.Annotations != nil || front.ResourceVersion != service.ResourceVersion || front.UID != service.UID {
		t.Errorf("the Service is not slim: %+v", front)
	}
	reader := w.client(t)
	whole := revision(t, w, reader)
	w.pod = pod
	if got := revision(t, w, reader); got != whole {
		t.Error("the grant differs")
	}
	if pod.Status.Phase != corev1.PodRunning {
		t.Errorf("phase = %q: pods that ended would be served", pod.Status.Phase)
	}
	if pod.DeletionTimestamp == nil || pod.UID != "pod-uid" || node.UID != "node-uid" {
		t.Error("the pod's deletion time or UID is lost")
	}
	if !directory.Asks(pod) {
		t.Error("the pod's token volume is lost")
	}
	if len(pod.Status.Conditions) > 1 || len(pod.Spec.Containers) > 1 || pod.Spec.Containers[0].Image != "" || pod.Annotations["other"] != "" {
		t.Errorf("the pod is not slim: %+v", pod)
	}
}

// Caches pass tombstones to their transforms too.
func TestSlimKeepsOtherObjects(t *testing.T) {
	t.Parallel()
	for name, transform := range map[string]func(any) (any, error){"pod": slim.Pod, "node": slim.Node, "metadata": slim.Metadata, "service": slim.Service} {
		if got, err := transform("other"); err != nil || got != "other" {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
}

func slimmed[T any](t *testing.T, transform func(any) (any, error), object T) T {
	t.Helper()
	kept, err := transform(object)
	if err != nil {
		t.Fatal(err)
	}
	return kept.(T)
}
