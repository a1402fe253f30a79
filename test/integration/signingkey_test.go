package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/controllers"
)

func TestKeyOfNodeIsPublished(t *testing.T) {
	t.Parallel()
	needController(t)
	node := createNode(t, "publishes")
	key := create(t, newKey(t, node.Name, string(node.UID), time.Now(), time.Hour))
	awaitCondition(t, key, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)
}

func TestKeyThatIsNoneIsNotPublished(t *testing.T) {
	t.Parallel()
	needController(t)
	node := createNode(t, "invalid")
	for name, test := range map[string]struct {
		edit    func(*v1alpha1.SigningKey)
		message string
	}{
		"another key's ID": {func(key *v1alpha1.SigningKey) {
			key.Name = strings.Repeat("a", 40)
			key.Spec.KeyID = key.Name
		}, "its thumbprint gives the ID"},
		"a modulus of small size": {
			func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Modulus = strings.Repeat("A", 342) }, "not at least 2048",
		},
		"a modulus that is no base64": {
			func(key *v1alpha1.SigningKey) { key.Spec.PublicKey.Modulus = strings.Repeat("A", 345) }, "read the modulus",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := newKey(t, node.Name, string(node.UID), time.Now(), time.Hour)
			test.edit(key)
			create(t, key)
			found := awaitCondition(t, key, v1alpha1.ConditionPublished, metav1.ConditionFalse, v1alpha1.ReasonInvalid)
			if !strings.Contains(found.Message, test.message) {
				t.Errorf("the message is %q, want one with %q", found.Message, test.message)
			}
		})
	}
}

func TestKeyIsRemovedWhenItsTimeHasPassed(t *testing.T) {
	t.Parallel()
	needController(t)
	node := createNode(t, "expires")
	stays := create(t, newKey(t, node.Name, string(node.UID), time.Now(), time.Hour))
	awaitCondition(t, stays, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)
	awaitGone(t, create(t, newKey(t, node.Name, string(node.UID), time.Now().Add(-2*time.Hour), time.Hour)))
	awaitGone(t, create(t, newKey(t, node.Name, string(node.UID), time.Now(), 3*time.Second)))
	get(t, stays)
}

func TestKeyIsLookedAtAgainWhenItsTimeEnds(t *testing.T) {
	t.Parallel()
	needController(t)
	node := createNode(t, "again")
	key := create(t, newKey(t, node.Name, string(node.UID), time.Now(), 3*time.Hour))
	reconciler := &controllers.SigningKeyReconciler{Client: admin, Live: admin, Now: func() time.Time {
		return key.Spec.NotBefore.Add(time.Hour)
	}}
	result, err := reconciler.Reconcile(t.Context(), requestFor(key))
	if err != nil || result.RequeueAfter != 2*time.Hour {
		t.Errorf("it is looked at again after %v (%v), want 2h", result.RequeueAfter, err)
	}
}

func TestKeysGoWithTheirNode(t *testing.T) {
	t.Parallel()
	needController(t)
	leaves, stays := createNode(t, "leaves"), createNode(t, "stays")
	gone := create(t, newKey(t, leaves.Name, string(leaves.UID), time.Now(), time.Hour))
	kept := create(t, newKey(t, stays.Name, string(stays.UID), time.Now(), time.Hour))
	for _, key := range []*v1alpha1.SigningKey{gone, kept} {
		awaitCondition(t, key, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)
	}
	remove(t, leaves.DeepCopy())
	awaitGone(t, gone)
	get(t, kept)
}

func TestKeysOfFormerNodeGo(t *testing.T) {
	t.Parallel()
	needController(t)
	former := createNode(t, "returns")
	before := create(t, newKey(t, former.Name, string(former.UID), time.Now(), time.Hour))
	awaitCondition(t, before, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)
	remove(t, former.DeepCopy())
	node := createNode(t, "returns")
	after := create(t, newKey(t, node.Name, string(node.UID), time.Now(), time.Hour))
	awaitGone(t, before)
	awaitGone(t, create(t, newKey(t, node.Name, string(former.UID), time.Now(), time.Hour)))
	awaitCondition(t, after, v1alpha1.ConditionPublished, metav1.ConditionTrue, v1alpha1.ReasonPublished)
}

// A cache that has not seen a new node yet must not cost its key.
func TestKeyStaysWhileTheCacheLags(t *testing.T) {
	t.Parallel()
	needController(t)
	node := createNode(t, "unseen")
	key := create(t, newKey(t, node.Name, string(node.UID), time.Now(), time.Hour))
	reconciler := &controllers.SigningKeyReconciler{Client: withoutNodes{admin}, Live: admin, Now: time.Now}
	if _, err := reconciler.Reconcile(t.Context(), requestFor(key)); err != nil {
		t.Fatal(err)
	}
	if !get(t, key).DeletionTimestamp.IsZero() {
		t.Error("it is being removed")
	}
}

// withoutNodes is a client whose cache has not seen any node.
type withoutNodes struct{ client.Client }

func (c withoutNodes) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if object.GetObjectKind().GroupVersionKind().Kind == "Node" {
		return apierrors.NewNotFound(corev1.Resource("nodes"), key.Name)
	}
	return c.Client.Get(ctx, key, object, options...)
}

func createNode(t *testing.T, name string) *corev1.Node {
	t.Helper()
	return create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

func awaitGone(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, func(ctx context.Context) string {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		switch {
		case err == nil:
			return object.GetName() + " is still there"
		case !apierrors.IsNotFound(err):
			return err.Error()
		}
		return ""
	})
}
