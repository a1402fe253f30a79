package integration

import (
	"context"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/pki/authority"
)

const (
	trustName = release + "-trust"
	bundleKey = authority.BundleKey
)

// Every namespace gets the trust bundle: an existing one, a new one, and the release's.
func TestNamespacesGetTheTrustBundle(t *testing.T) {
	controller := needController(t)
	for _, name := range []string{"default", createNamespace(t).Name, namespace} {
		config := trustOf(name)
		awaitBundle(t, controller, config)

		change(t, config, func(config *corev1.ConfigMap) { config.Data[bundleKey] = "a thief's" })
		awaitBundle(t, controller, config)
		change(t, config, func(config *corev1.ConfigMap) { config.Data = nil })
		awaitBundle(t, controller, config)
		change(t, config, func(config *corev1.ConfigMap) { config.OwnerReferences = nil })
		awaitBundle(t, controller, config)
		remove(t, config)
		awaitBundle(t, controller, config)
	}
}

// A new authority reaches every namespace.
func TestNamespacesFollowTheAuthority(t *testing.T) {
	controller := needController(t)
	var configs []*corev1.ConfigMap
	for _, name := range []string{"default", "kube-system", createNamespace(t).Name} {
		configs = append(configs, trustOf(name))
		awaitBundle(t, controller, configs[len(configs)-1])
	}
	before := configs[0].Data[bundleKey]
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: caKey.Namespace, Name: caKey.Name}}
	change(t, secret, func(secret *corev1.Secret) { secret.Data = nil })
	eventually(t, func(ctx context.Context) string {
		if bundle := string(controller.trust.Bundle(ctx)); bundle == before || bundle == "" {
			return "the authority is the old one"
		}
		return ""
	})
	for _, config := range configs {
		awaitBundle(t, controller, config)
	}
}

// The ConfigMaps are deleted with the installation, and a new installation owns them.
func TestNamespacesFollowTheInstallation(t *testing.T) {
	controller := needController(t)
	config := trustOf(createNamespace(t).Name)
	awaitBundle(t, controller, config)
	hooks := get(t, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}})
	remove(t, hooks)
	hooks.ObjectMeta = metav1.ObjectMeta{Name: hooks.Name, Labels: hooks.Labels}
	if err := admin.Create(t.Context(), hooks); err != nil {
		t.Fatal(err)
	}
	awaitBundle(t, controller, config)
}

// The chart's role allows the controller to watch and write only ConfigMaps of the one name.
func TestControllerWritesNoOtherConfigMap(t *testing.T) {
	needController(t)
	home := createNamespace(t).Name
	self := as(t, user(serviceAccount("controller")))
	other := create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "settings"}})
	ctx, dryRun := t.Context(), client.DryRunAll
	apply := func(name string) error {
		return self.Apply(ctx, coreac.ConfigMap(name, home).WithData(map[string]string{"a": "b"}), client.FieldOwner("test"), client.ForceOwnership, dryRun)
	}
	for what, test := range map[string]struct {
		err     error
		allowed bool
	}{
		"apply its own":         {apply(trustName), true},
		"list its own":          {self.List(ctx, &corev1.ConfigMapList{}, client.MatchingFields{"metadata.name": trustName}), true},
		"apply an existing one": {apply(other.Name), false},
		"apply a new one":       {apply("made-up"), false},
		"create one":            {self.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "made-up"}}, dryRun), false},
		"patch one":             {self.Patch(ctx, other.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"a":"b"}}`)), dryRun), false},
		"read one":              {self.Get(ctx, client.ObjectKeyFromObject(other), &corev1.ConfigMap{}), false},
		"list another":          {self.List(ctx, &corev1.ConfigMapList{}, client.MatchingFields{"metadata.name": other.Name}), false},
		"list all":              {self.List(ctx, &corev1.ConfigMapList{}), false},
		"list a namespace's":    {self.List(ctx, &corev1.ConfigMapList{}, client.InNamespace(home)), false},
		"delete one":            {self.Delete(ctx, other.DeepCopy(), dryRun), false},
		"delete its own":        {self.Delete(ctx, trustOf("default"), dryRun), false},
		"replace its own":       {self.Update(ctx, trustOf("default"), dryRun), false},
	} {
		if allowed := !apierrors.IsForbidden(test.err); allowed != test.allowed || test.allowed && test.err != nil {
			t.Errorf("%s: allowed: %t, error %v", what, allowed, test.err)
		}
	}
}

func trustOf(namespace string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: trustName}}
}

// awaitBundle waits until a ConfigMap has the authority's certificates and is owned by the webhook's configuration.
func awaitBundle(t *testing.T, controller *runningManager, config *corev1.ConfigMap) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		if err := admin.Get(ctx, client.ObjectKeyFromObject(config), config); err != nil {
			return err.Error()
		}
		if bundle := string(controller.trust.Bundle(ctx)); bundle == "" || config.Data[bundleKey] != bundle {
			return fmt.Sprintf("the ConfigMap of %s has other certificates: %q", config.Namespace, config.Data)
		}
		hooks := get(t, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}})
		if owners := config.OwnerReferences; len(owners) != 1 || owners[0].UID != hooks.UID {
			return fmt.Sprintf("the ConfigMap of %s belongs to %v", config.Namespace, owners)
		}
		return ""
	})
}
