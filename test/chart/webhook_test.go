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

	for name, test := range map[string]struct {
		namespace   string
		annotations map[string]string
		asks        bool
	}{
		"a pod without annotations":                   {namespace: "default"},
		"a pod with other annotations":                {"default", map[string]string{"other": "true"}, false},
		"a pod with an identity":                      {"default", map[string]string{"kube-imds.io/identity": "orders"}, true},
		"a pod that asks for IMDS":                    {"default", map[string]string{"kube-imds.io/inject": "true"}, true},
		"a pod that declines":                         {"default", map[string]string{"kube-imds.io/inject": "false"}, false},
		"a pod with an identity that declines":        {"default", map[string]string{"kube-imds.io/inject": "false", "kube-imds.io/identity": "orders"}, false},
		"a pod of a namespace that asks":              {"asks", nil, true},
		"a pod of a namespace that asks and itself":   {"asks", map[string]string{"kube-imds.io/identity": "orders"}, true},
		"a pod of a namespace that asks and declines": {"asks", map[string]string{"kube-imds.io/inject": "false"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := server.Create(t.Context(), newPod(test.namespace, test.annotations), client.DryRunAll)
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
