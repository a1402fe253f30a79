package chart

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestUpgradeKeepsTheControllersData(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")

	authority := []byte("certificate of the authority")
	fill(t, server, authority)
	server.helm(t, "upgrade", release, chartPath, "--set", "logLevel=debug", "--set", "controller.replicas=3")

	key := client.ObjectKey{Namespace: namespace, Name: "kube-imds-ca"}
	var secret corev1.Secret
	get(t, server, key, &secret)
	if diff := cmp.Diff(map[string][]byte{"tls.key": authority}, secret.Data); diff != "" {
		t.Error("the Secret lost the authority", diff)
	}
	var config corev1.ConfigMap
	get(t, server, key, &config)
	if diff := cmp.Diff(map[string]string{"ca.crt": string(authority)}, config.Data); diff != "" {
		t.Error("the ConfigMap lost the authority", diff)
	}
	var lease coordinationv1.Lease
	get(t, server, client.ObjectKey{Namespace: namespace, Name: leaseName}, &lease)
	if lease.Spec.HolderIdentity == nil {
		t.Error("the Lease lost its holder")
	}
	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	get(t, server, client.ObjectKey{Name: "kube-imds"}, &mutating)
	for _, webhook := range mutating.Webhooks {
		if diff := cmp.Diff(authority, webhook.ClientConfig.CABundle); diff != "" {
			t.Errorf("webhook %s lost the authority\n%s", webhook.Name, diff)
		}
	}
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	get(t, server, client.ObjectKey{Name: "kube-imds"}, &validating)
	for _, webhook := range validating.Webhooks {
		if diff := cmp.Diff(authority, webhook.ClientConfig.CABundle); diff != "" {
			t.Errorf("webhook %s lost the authority\n%s", webhook.Name, diff)
		}
	}
}

// fill writes the data that a running controller writes.
func fill(t *testing.T, server apiServer, authority []byte) {
	t.Helper()
	key := client.ObjectKey{Namespace: namespace, Name: "kube-imds-ca"}
	var secret corev1.Secret
	get(t, server, key, &secret)
	secret.Data = map[string][]byte{"tls.key": authority}
	update(t, server, &secret)

	var config corev1.ConfigMap
	get(t, server, key, &config)
	config.Data = map[string]string{"ca.crt": string(authority)}
	update(t, server, &config)

	var lease coordinationv1.Lease
	get(t, server, client.ObjectKey{Namespace: namespace, Name: leaseName}, &lease)
	lease.Spec.HolderIdentity = new("a controller")
	update(t, server, &lease)

	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	get(t, server, client.ObjectKey{Name: "kube-imds"}, &mutating)
	for i := range mutating.Webhooks {
		mutating.Webhooks[i].ClientConfig.CABundle = authority
	}
	update(t, server, &mutating)

	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	get(t, server, client.ObjectKey{Name: "kube-imds"}, &validating)
	for i := range validating.Webhooks {
		validating.Webhooks[i].ClientConfig.CABundle = authority
	}
	update(t, server, &validating)
}

func TestUninstallLeavesNothing(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	installed := parse(t, server.helm(t, "get", "manifest", release))
	server.helm(t, "uninstall", release, "--wait")

	for _, object := range installed {
		eventually(t, object.GetKind()+" "+object.GetName()+" is gone", func() bool {
			left := object.DeepCopy()
			err := server.Get(t.Context(), client.ObjectKeyFromObject(object), left)
			return apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
		})
	}
}

func TestUninstallKeepsIdentitiesOnDemand(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace", "--set", "crds.keep=true")
	identity := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kube-imds.io/v1alpha1",
		"kind":       "ManagedIdentity",
		"metadata":   map[string]any{"name": "orders"},
	}}
	withoutWebhooks(t, server)
	create(t, server, identity)
	server.helm(t, "uninstall", release, "--wait")
	get(t, server, client.ObjectKey{Name: "orders"}, identity)

	server.helm(t, "install", release, chartPath)
	get(t, server, client.ObjectKey{Name: "orders"}, identity)
}

// The API server itself checks that all our containers meet Pod Security's restricted profile.
func testPodsMeetPodSecurityRestricted(t *testing.T, server apiServer) {
	const strict = "strict"
	create(t, server, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   strict,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}})
	for name, template := range podsOf(t, render(t)) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: strict, GenerateName: "pod-", Labels: template.Labels},
			Spec:       template.Spec,
		}
		if err := server.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func testSamplesAreAccepted(t *testing.T, server apiServer) {
	for _, pattern := range []string{"../../config/samples/*.yaml", "../../config/samples/demo/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no samples in %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, object := range parse(t, string(text)) {
				err := server.Create(t.Context(), object, client.FieldValidation("Strict"))
				if err != nil && !apierrors.IsAlreadyExists(err) {
					t.Errorf("%s: %s %s: %v", path, object.GetKind(), object.GetName(), err)
				}
			}
		}
	}
}

// withoutWebhooks removes the webhooks, which have no server here.
func withoutWebhooks(t *testing.T, server apiServer) {
	t.Helper()
	for _, object := range []client.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kube-imds"}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kube-imds"}},
	} {
		if err := server.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func get(t *testing.T, server apiServer, key client.ObjectKey, object client.Object) {
	t.Helper()
	if err := server.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, server apiServer, object client.Object) {
	t.Helper()
	if err := server.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func update(t *testing.T, server apiServer, object client.Object) {
	t.Helper()
	if err := server.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true,
		func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		t.Fatalf("timed out after a minute: %s", what)
	}
}
