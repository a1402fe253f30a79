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

// create creates objects, and deletes them when the test ends.
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

// eventually reads an object until problem returns "".
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

// until waits until a condition holds.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true,
		func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		t.Fatalf("timed out after %s: %s", patience, what)
	}
}

// eventuallyResolved waits until the controller has resolved the current generation of an identity.
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
