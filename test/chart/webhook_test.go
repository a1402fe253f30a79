package chart

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// While the webhook is away, pods that ask for IMDS are refused, and all others are admitted.
func testOutageAffectsOnlyPodsThatAsk(t *testing.T, server apiServer) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kube-imds-webhook"}}
	if err := server.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	create(t, server, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "asks", Labels: map[string]string{"kube-imds.io/inject": "enabled"}}})
	eventually(t, "the webhook takes effect", func() bool {
		return server.Create(t.Context(), newPod("asks", nil), client.DryRunAll) != nil
	})

	label := map[string]string{"azure.workload.identity/use": "true"}
	acted := []corev1.Volume{{Name: "azure-workload-identity-reserved-0", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	for name, test := range map[string]struct {
		namespace   string
		annotations map[string]string
		asks        bool
		labels      map[string]string
		volumes     []corev1.Volume
	}{
		"a labelled pod":                              {namespace: "default", labels: label, asks: true},
		"a pod with another value of the label":       {namespace: "default", labels: map[string]string{"azure.workload.identity/use": "false"}},
		"a labelled pod that declines":                {namespace: "default", labels: label, annotations: map[string]string{"kube-imds.io/inject": "false"}},
		"a labelled pod of another webhook":           {namespace: "default", labels: label, volumes: acted},
		"a labelled pod of an earlier admission":      {namespace: "default", labels: label, volumes: acted, annotations: map[string]string{"kube-imds.io/workload-identity": "orders"}, asks: true},
		"a labelled pod of a namespace that asks":     {namespace: "asks", labels: label, volumes: acted, asks: true},
		"a pod without annotations":                   {namespace: "default"},
		"a pod with other annotations":                {namespace: "default", annotations: map[string]string{"other": "true"}, asks: false},
		"a pod with an identity":                      {namespace: "default", annotations: map[string]string{"kube-imds.io/identity": "orders"}, asks: true},
		"a pod that asks for IMDS":                    {namespace: "default", annotations: map[string]string{"kube-imds.io/inject": "true"}, asks: true},
		"a pod that declines":                         {namespace: "default", annotations: map[string]string{"kube-imds.io/inject": "false"}, asks: false},
		"a pod with an identity that declines":        {namespace: "default", annotations: map[string]string{"kube-imds.io/inject": "false", "kube-imds.io/identity": "orders"}, asks: false},
		"a pod of a namespace that asks":              {namespace: "asks", annotations: nil, asks: true},
		"a pod of a namespace that asks and itself":   {namespace: "asks", annotations: map[string]string{"kube-imds.io/identity": "orders"}, asks: true},
		"a pod of a namespace that asks and declines": {namespace: "asks", annotations: map[string]string{"kube-imds.io/inject": "false"}, asks: false},
	} {
		t.Run(name, func(t *testing.T) {
			pod := newPod(test.namespace, test.annotations)
			pod.Labels, pod.Spec.Volumes = test.labels, test.volumes
			err := server.Create(t.Context(), pod, client.DryRunAll)
			switch {
			case test.asks && (err == nil || !strings.Contains(err.Error(), "failed calling webhook")):
				t.Errorf("the webhook is not called: %v", err)
			case !test.asks && err != nil:
				t.Errorf("the webhook is called: %v", err)
			}
		})
	}
}

func newPod(namespace string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "pod-", Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
}
