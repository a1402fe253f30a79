package controller

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// The tests in this file are not parallel, because they stop the controller.

// A replica that does not lead serves, and leads as soon as the leader has ended.
func TestReplicaTakesOver(t *testing.T) {
	s := start(t)
	second, err := s.newReplica("second")
	if err != nil {
		t.Fatal(err)
	}
	first, leader := s.controller, s.leader(t)
	if err := second.start(); err != nil {
		t.Fatal(err)
	}
	if s.leader(t) != leader {
		t.Error("the second replica leads while the first one runs")
	}
	s.controller = second
	t.Cleanup(func() { s.controller = first })
	if got := second.status("/readyz"); got != http.StatusOK {
		t.Errorf("readyz of a replica that does not lead: %d", got)
	}

	if err := first.stop(); err != nil {
		t.Errorf("the leader ended with: %v", err)
	}
	if s.leader(t) == leader {
		t.Error("the leader ended without releasing its lease")
	}
	identity := build.NewIdentity("of-the-second-leader").ManagedIdentity
	s.create(t, identity)
	s.eventuallyResolved(t, identity)

	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	if err := second.stop(); err != nil {
		t.Errorf("the second leader ended with: %v", err)
	}
}

// leader returns the holder of the lease.
func (s *system) leader(t *testing.T) string {
	t.Helper()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: release + "-controller"}}
	s.eventually(t, lease, func() string {
		if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
			return "no replica leads"
		}
		return ""
	})
	return *lease.Spec.HolderIdentity
}

// A restarted controller has nothing to write.
func TestRestartChangesNothing(t *testing.T) {
	s := start(t)
	identity := build.NewIdentity("before-the-restart").Admitting("default", "*").ManagedIdentity
	good := build.NewBinding("default", "good").Of("default").To(identity.Name).IdentityBinding
	bad := build.NewBinding("default", "bad").Of("default").To("missing").IdentityBinding
	s.create(t, identity, good, bad)
	s.controller.untilIdle(t, s.work(t))
	before := s.versions(t)

	if err := s.controller.stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.controller.start(); err != nil {
		t.Fatal(err)
	}
	s.controller.untilIdle(t, s.work(t))
	if diff := cmp.Diff(before, s.versions(t)); diff != "" {
		t.Errorf("objects changed by a restart (-before +after)\n%s", diff)
	}
	if strings.Contains(s.controller.log(), "forbidden") {
		t.Errorf("the chart's role lacks a right:\n%s", s.controller.log())
	}
}

// work is the least number of objects of each reconciler.
func (s *system) work(t *testing.T) map[string]int {
	t.Helper()
	var identities v1alpha1.ManagedIdentityList
	var bindings v1alpha1.IdentityBindingList
	for _, list := range []client.ObjectList{&identities, &bindings} {
		if err := s.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]int{
		"managedidentity": len(identities.Items), "identitybinding": len(bindings.Items), "trust": 1, "namespacetrust": 1,
	}
}

// versions returns the resource versions of all objects that the controller writes.
func (s *system) versions(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	authority := metav1.ObjectMeta{Namespace: namespace, Name: release + "-ca"}
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: authority}, &corev1.ConfigMap{ObjectMeta: authority},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: release}},
	} {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		versions[fmt.Sprintf("%T", object)] = object.GetResourceVersion()
	}
	for _, list := range []client.ObjectList{
		&corev1.ConfigMapList{}, &v1alpha1.ManagedIdentityList{}, &v1alpha1.IdentityBindingList{}, &eventsv1.EventList{},
	} {
		if err := s.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		err := eachObject(list, func(object client.Object) {
			if event, ok := object.(*eventsv1.Event); ok && event.Regarding.Kind == "Lease" {
				return
			}
			versions[fmt.Sprintf("%T %s/%s", object, object.GetNamespace(), object.GetName())] = object.GetResourceVersion()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return versions
}

func eachObject(list client.ObjectList, do func(client.Object)) error {
	return apimeta.EachListItem(list, func(item runtime.Object) error {
		if object, ok := item.(client.Object); ok {
			do(object)
		}
		return nil
	})
}

// untilIdle waits until each reconciler has done at least its work, and has nothing left to do.
func (r *replica) untilIdle(t *testing.T, work map[string]int) {
	t.Helper()
	until(t, "the controller is idle", func() bool {
		metrics := r.scrape(t)
		for name, least := range work {
			if metrics.Sum("controller_runtime_reconcile_total", `controller="`+name+`"`) < float64(least) {
				return false
			}
		}
		return metrics.Sum("workqueue_depth", "") == 0 && metrics.Sum("controller_runtime_active_workers", "") == 0
	})
}
