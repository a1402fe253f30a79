package controller

import (
	"context"
	"testing"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// create makes objects for as long as the test runs.
func (s *system) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := s.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := client.IgnoreNotFound(s.Delete(context.WithoutCancel(t.Context()), object)); err != nil {
				t.Error(err)
			}
		})
	}
}

// eventually reads an object until it is as wanted; problem says what is wrong with it, or nothing.
func (s *system) eventually(t *testing.T, object client.Object, problem func() string) {
	t.Helper()
	wrong := "it was never read"
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true,
		func(ctx context.Context) (bool, error) {
			if err := s.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return false, err
			}
			wrong = problem()
			return wrong == "", nil
		})
	if err != nil {
		t.Fatalf("%T %s: %v: %s", object, object.GetName(), err, wrong)
	}
}

// until waits until something holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true,
		func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		t.Fatalf("not in %s: %s", patience, what)
	}
}

// eventuallyResolved waits until the controller has resolved an identity as it is now.
func (s *system) eventuallyResolved(t *testing.T, identity *v1alpha1.ManagedIdentity) {
	t.Helper()
	s.eventually(t, identity, func() string {
		ready := apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.ObservedGeneration != identity.Generation {
			return "the controller has not seen it"
		}
		return ""
	})
}
