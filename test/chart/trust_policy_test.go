package chart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A user who may write a namespace's ConfigMaps cannot change whom its sidecars trust: neither before the controller has written, nor
// afterwards. The user is an administrator here.
func TestOnlyTheControllerWritesTrust(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	const refusal = "written by its controller alone"
	thiefs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kube-imds-trust"}, Data: map[string]string{"ca.crt": "a thief's"},
	}
	eventually(t, "the policy takes effect", func() bool {
		return apierrors.IsForbidden(server.Create(t.Context(), thiefs.DeepCopy(), client.DryRunAll))
	})
	wantRefusal(t, server.Create(t.Context(), thiefs.DeepCopy(), client.DryRunAll), refusal)
	wantRefusal(t, server.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}), "")

	controller := server.as(t, serviceAccount("controller"))
	wanted := coreac.ConfigMap(thiefs.Name, thiefs.Namespace).WithData(map[string]string{"ca.crt": "the authority's"})
	if err := controller.Apply(t.Context(), wanted, client.FieldOwner("kube-imds-controller"), client.ForceOwnership); err != nil {
		t.Fatal("the controller is refused:", err)
	}
	for name, test := range map[string]struct {
		change  func(*corev1.ConfigMap)
		refusal string
	}{
		"another authority": {func(config *corev1.ConfigMap) { config.Data["ca.crt"] = "a thief's" }, refusal},
		"no authority":      {func(config *corev1.ConfigMap) { config.Data = nil }, refusal},
		"more data":         {func(config *corev1.ConfigMap) { config.Data["more"] = "of it" }, refusal},
		"binary data":       {func(config *corev1.ConfigMap) { config.BinaryData = map[string][]byte{"more": {1}} }, refusal},
		"immutable":         {func(config *corev1.ConfigMap) { config.Immutable = new(true) }, refusal},
		"nothing":           {func(*corev1.ConfigMap) {}, ""},
		"owner references": {func(config *corev1.ConfigMap) {
			config.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "other", UID: "uid"}}
		}, ""},
		"a label": {func(config *corev1.ConfigMap) { config.Labels = map[string]string{"of": "somebody"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var config corev1.ConfigMap
			get(t, server, client.ObjectKeyFromObject(thiefs), &config)
			test.change(&config)
			wantRefusal(t, server.Update(t.Context(), &config, client.DryRunAll), test.refusal)
		})
	}
	if err := server.Delete(t.Context(), thiefs.DeepCopy()); err != nil {
		t.Error("it cannot be deleted:", err)
	}
}
