package integration

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/controllers"
	"github.com/kube-imds/kube-imds/internal/cluster/uninjected"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

func TestIdentityGetsItsIDs(t *testing.T) {
	t.Parallel()
	needController(t)
	identity := createIdentity(t, build.NewIdentity("with-ids"))
	awaitReady(t, identity, metav1.ConditionTrue, v1alpha1.ReasonResolved)

	want := v1alpha1.ManagedIdentityStatus{
		TenantID:    defaults.TenantID,
		ClientID:    "915badad-cd0b-529f-89f1-c67e7a0fc5e7",
		PrincipalID: "359202c1-d74a-51eb-b19e-a975de45ba3c",
		ResourceID: "/subscriptions/" + defaults.SubscriptionID +
			"/resourcegroups/kube-imds/providers/Microsoft.ManagedIdentity/userAssignedIdentities/with-ids",
		BoundServiceAccounts: new(int32(0)),
		UninjectedPods:       new(int32(0)),
		Conditions:           identity.Status.Conditions,
	}
	if diff := cmp.Diff(want, identity.Status); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestIdentityFollowsItsSpec(t *testing.T) {
	t.Parallel()
	needController(t)
	identity := createIdentity(t, build.NewIdentity("changed"))
	awaitReady(t, identity, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	generated := identity.Status.PrincipalID

	const id = "0c7a3c5e-0000-4000-8000-000000000001"
	change(t, identity, func(identity *v1alpha1.ManagedIdentity) { identity.Spec.ClientID = id })
	awaitReady(t, identity, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	if identity.Status.ClientID != id || identity.Status.PrincipalID != generated {
		t.Errorf("client ID = %s, principal ID = %s, was %s",
			identity.Status.ClientID, identity.Status.PrincipalID, generated)
	}
}

func TestSecondReconcileChangesNothing(t *testing.T) {
	t.Parallel()
	running := needController(t)
	identity := createIdentity(t, build.NewIdentity("settled"))
	awaitReady(t, identity, metav1.ConditionTrue, v1alpha1.ReasonResolved)
	space := createNamespace(t)
	binding := createBinding(t, space.Name, "nobody", "settled")
	awaitReady(t, binding, metav1.ConditionFalse, v1alpha1.ReasonNotAdmitted)

	recorder, reader, counts := events.NewFakeRecorder(10), withoutStatus{running.cache}, &uninjected.Counts{}
	for _, look := range []struct {
		object     client.Object
		reconciler interface {
			Reconcile(context.Context, ctrl.Request) (ctrl.Result, error)
		}
	}{
		{identity, &controllers.ManagedIdentityReconciler{Client: reader, Events: recorder, Defaults: defaults, Uninjected: counts}},
		{binding, &controllers.IdentityBindingReconciler{Client: reader, Events: recorder, Uninjected: counts}},
	} {
		before := look.object.GetResourceVersion()
		if _, err := look.reconciler.Reconcile(t.Context(), requestFor(look.object)); err != nil {
			t.Fatal(err)
		}
		if after := get(t, look.object).GetResourceVersion(); after != before {
			t.Errorf("%s was written again", look.object.GetName())
		}
	}
	select {
	case event := <-recorder.Events:
		t.Errorf("another event: %s", event)
	default:
	}
}

// withoutStatus is a client that refuses to write status: even a patch that changes nothing is one request too many.
type withoutStatus struct{ client.Client }

func (withoutStatus) Status() client.SubResourceWriter { return refusedWriter{} }

type refusedWriter struct{ client.SubResourceWriter }

func (refusedWriter) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return errors.New("there is nothing to write")
}

func requestFor(object client.Object) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(object)}
}

// awaitEvent waits for an event of an object.
func awaitEvent(t *testing.T, object client.Object, kind, reason string) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		var list eventsv1.EventList
		if err := admin.List(ctx, &list); err != nil {
			return err.Error()
		}
		for _, event := range list.Items {
			if event.Regarding.UID == object.GetUID() && event.Type == kind && event.Reason == reason {
				return ""
			}
		}
		return object.GetName() + " has no event " + reason
	})
}
