package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// A user who applies a namespace, its ServiceAccount, an identity and a pod at once is ahead of every cache.
func TestUncachedObjectsAreReadLive(t *testing.T) {
	t.Parallel()
	orders := build.NewIdentity("orders").Ready().AdmittingSelected(metav1.LabelSelector{MatchLabels: map[string]string{"team": "retail"}}, "*")
	m := newMutator(t)
	m.lookup.live = reader(t, orders, account("cashier", "orders"),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"team": "retail"}}})
	pod := injectedPod(t, m, newPod("", annotated(v1alpha1.InjectAnnotation, "true")))
	if got := pod.Annotations[v1alpha1.GrantedAnnotation]; got != "orders" {
		t.Errorf("granted: %q", got)
	}
}

func TestCachedObjectsAreNotReadLive(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	m.lookup.live = failing(t, "")
	injectedPod(t, m, newPod("orders,payments"))
}

// An object that cannot be read may exist: the pod is denied with the failure, not as if the object were missing.
func TestUnreadableIsNotMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cached, live client.Reader
		want         string
	}{
		"the cached namespace":      {failing(t, "Namespace"), reader(t), "read the Namespace shop of the pod: the API server is away"},
		"the cached ServiceAccount": {failing(t, "ServiceAccount"), reader(t), "read the ServiceAccount cashier of the pod: the API server is away"},
		"the cached identity":       {failing(t, "ManagedIdentity"), reader(t), "read the ManagedIdentity orders: the API server is away"},
		"the bindings":              {failing(t, "IdentityBindingList"), reader(t), "list the bindings of namespace shop: the API server is away"},
		"a live identity":           {reader(t, without(shop(), "orders")...), failing(t, "ManagedIdentity"), "read the ManagedIdentity orders: the API server is away"},
		"a live namespace":          {reader(t, without(shop(), "shop")...), failing(t, "Namespace"), "read the Namespace shop of the pod: the API server is away"},
		"a namespace that is gone":  {reader(t, without(shop(), "shop")...), reader(t), `read the Namespace shop of the pod: namespaces "shop" not found`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMutator(t)
			m.lookup = lookup{cached: test.cached, live: test.live}
			response := admit(t, m, newPod("orders"))
			if response.Allowed || response.Result.Code != 500 || response.Result.Message != test.want {
				t.Errorf("allowed: %t, result %v", response.Allowed, response.Result)
			}
		})
	}
}

// failing returns a reader of the shop that fails for one kind, or for all.
func failing(t *testing.T, kind string) client.Reader {
	t.Helper()
	away := errors.New("the API server is away")
	fails := func(c client.WithWatch, object runtime.Object) bool {
		gvk, err := c.GroupVersionKindFor(object)
		return err != nil || kind == "" || gvk.Kind == kind
	}
	return interceptor.NewClient(reader(t, shop()...), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if fails(c, object) {
				return away
			}
			return c.Get(ctx, key, object, options...)
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if fails(c, list) {
				return away
			}
			return c.List(ctx, list, options...)
		},
	})
}

func without(objects []client.Object, name string) []client.Object {
	var kept []client.Object
	for _, object := range objects {
		if object.GetName() != name {
			kept = append(kept, object)
		}
	}
	return kept
}

// Without the authority's certificate a sidecar cannot trust its issuer, and would never start.
func TestNoAuthorityYet(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	m.options.CABundle = func(context.Context) []byte { return nil }
	response := admit(t, m, newPod("orders"))
	if response.Allowed || response.Result.Code != 503 || !strings.Contains(response.Result.Message, "has no certificate yet") {
		t.Errorf("allowed: %t, result %v", response.Allowed, response.Result)
	}
}

func TestNotAPod(t *testing.T) {
	t.Parallel()
	m := newMutator(t, shop()...)
	for _, raw := range []string{"", "{", `{"spec": 1}`, `[]`} {
		if response := m.answer(t.Context(), review([]byte(raw))); response.Allowed || response.Result.Code != 400 {
			t.Errorf("%q: allowed: %t, result %v", raw, response.Allowed, response.Result)
		}
	}
}

// A pod that names missing or impossible identities causes few reads at the API server.
func TestLiveReadsAreBounded(t *testing.T) {
	t.Parallel()
	names := func(count int) string {
		var all []string
		for i := range count {
			all = append(all, fmt.Sprint("missing-", i))
		}
		return strings.Join(all, ",")
	}
	for name, test := range map[string]struct {
		asked string
		reads int
		want  string
	}{
		"most live reads":  {names(maxLive), maxLive, "does not exist"},
		"one more":         {names(maxLive + 1), maxLive, `ManagedIdentity "missing-4" is not known yet`},
		"most names":       {names(grant.MaxIdentities), maxLive, "is not known yet"},
		"too many names":   {names(1000), 0, "more than 32 identities"},
		"impossible names": {strings.Repeat("a", 254) + ",a/b,..", 0, "does not exist"},
		"existing ones":    {"orders,payments", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			m := newMutator(t, shop()...)
			m.lookup.live = interceptor.NewClient(reader(t), interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
					reads++
					return c.Get(ctx, key, object, options...)
				},
			})
			response := admit(t, m, newPod(test.asked))
			message := ""
			if response.Result != nil {
				message = response.Result.Message
			}
			if reads != test.reads || response.Allowed != (test.want == "") || !strings.Contains(message, test.want) {
				t.Errorf("%d live reads, allowed: %t, %s", reads, response.Allowed, message)
			}
		})
	}
}
