package issuer

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// registry is a registrar that runs in the time of a bubble, and the API server that it registers with.
type registry struct {
	*testing.T
	*Registrar
	client  client.WithWatch
	audit   *auditLog
	created int
	cleared int

	// failing tells whether registering fails.
	failing atomic.Bool
}

func onRegistry(t *testing.T, w *world, test func(r *registry)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &registry{T: t, audit: &auditLog{}}
		r.client = interceptor.NewClient(w.client(t), interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, object client.Object, o ...client.CreateOption) error {
				if r.failing.Load() {
					return errors.New("the API server is away")
				}
				r.created++
				return c.Create(ctx, object, o...)
			},
		})
		r.Registrar = &Registrar{
			Ring: token.NewRing(time.Now), NodeName: "node-1", Reader: r.client, Writer: r.client,
			Changes: NewChanges(), OnKeyChange: func() { r.cleared++ }, Now: time.Now, Log: r.audit.logger(),
		}
		ended := make(chan error, 1)
		go func() { ended <- r.Start(ctx) }()
		synctest.Wait()
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// keys are the keys that are registered.
func (r *registry) keys() []v1alpha1.SigningKey {
	r.Helper()
	var list v1alpha1.SigningKeyList
	if err := r.client.List(r.Context(), &list); err != nil {
		r.Fatal(err)
	}
	return list.Items
}

// onlyKey is the one key that is registered.
func (r *registry) onlyKey() *v1alpha1.SigningKey {
	r.Helper()
	keys := r.keys()
	if len(keys) != 1 {
		r.Fatalf("%d keys are registered, not one", len(keys))
	}
	return &keys[0]
}

// tell sets what the controller says of a key.
func (r *registry) tell(key *v1alpha1.SigningKey, published metav1.ConditionStatus) {
	r.Helper()
	key.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPublished, Status: published, Reason: "Test"}}
	if err := r.client.Update(r.Context(), key); err != nil {
		r.Fatal(err)
	}
	r.notify()
}

func (r *registry) delete(key *v1alpha1.SigningKey) {
	r.Helper()
	if err := r.client.Delete(r.Context(), key); err != nil {
		r.Fatal(err)
	}
	r.notify()
}

func (r *registry) notify() {
	r.Changes.Notify()
	synctest.Wait()
}

func (r *registry) wantReady(want bool) {
	r.Helper()
	if got := r.Ready(); got != want {
		r.Errorf("ready: %t, not %t", got, want)
	}
}

func TestKeyIsRegisteredOnce(t *testing.T) {
	onRegistry(t, newWorld(), func(r *registry) {
		key := r.onlyKey()
		if key.Spec.NodeName != "node-1" || key.Spec.NodeUID != "node-uid" || key.Name != key.Spec.KeyID {
			r.Errorf("the registration is wrong: %+v", key.Spec)
		}
		if _, err := token.ParsePublicKey(key.Spec); err != nil {
			r.Errorf("the registration cannot be read: %v", err)
		}
		r.notify()
		time.Sleep(10 * registrationInterval)
		synctest.Wait()
		r.tell(r.onlyKey(), metav1.ConditionFalse)
		r.notify()
		if r.onlyKey().Name != key.Name || r.created != 1 {
			r.Errorf("%d keys were registered", r.created)
		}
	})
}

func TestKeySignsOnceItIsPublished(t *testing.T) {
	onRegistry(t, newWorld(), func(r *registry) {
		r.wantReady(false)
		r.tell(r.onlyKey(), metav1.ConditionFalse)
		r.wantReady(false)
		if r.cleared != 0 {
			r.Error("a key change is told while there is no key")
		}
		key := r.onlyKey()
		r.tell(key, metav1.ConditionTrue)
		r.wantReady(true)
		if signer := r.Ring.Signer(time.Now()); signer == nil || signer.ID != key.Name {
			r.Errorf("the key that signs is %v", signer)
		}
		r.notify()
		if r.cleared != 1 {
			r.Errorf("%d key changes are told, not one", r.cleared)
		}
	})
}

func TestKeyThatIsTakenAwayIsReplaced(t *testing.T) {
	for name, takeAway := range map[string]func(r *registry, key *v1alpha1.SigningKey){
		"deleted": func(r *registry, key *v1alpha1.SigningKey) { r.delete(key) },
		"deleted, but held by a finalizer": func(r *registry, key *v1alpha1.SigningKey) {
			key.Finalizers = []string{"test/finalizer"}
			if err := r.client.Update(r.Context(), key); err != nil {
				r.Fatal(err)
			}
			r.delete(key)
		},
		"not published any more": func(r *registry, key *v1alpha1.SigningKey) { r.tell(key, metav1.ConditionFalse) },
	} {
		t.Run(name, func(t *testing.T) {
			onRegistry(t, newWorld(), func(r *registry) {
				first := r.onlyKey()
				r.tell(first, metav1.ConditionTrue)
				takeAway(r, first)
				r.wantReady(false)
				if r.cleared != 2 {
					r.Errorf("%d key changes are told, not two", r.cleared)
				}
				var second *v1alpha1.SigningKey
				for _, key := range r.keys() {
					if key.Name != first.Name {
						second = &key
					}
				}
				if second == nil || r.created != 2 {
					r.Fatalf("%d keys were registered, not another one", r.created)
				}
				r.tell(second, metav1.ConditionTrue)
				r.wantReady(true)
				if r.cleared != 3 {
					r.Errorf("%d key changes are told, not three", r.cleared)
				}
			})
		})
	}
}

func TestUnpublishedKeyThatIsDeletedIsRegisteredAgain(t *testing.T) {
	onRegistry(t, newWorld(), func(r *registry) {
		first := r.onlyKey()
		r.delete(first)
		if again := r.onlyKey(); again.Name != first.Name {
			r.Error("another key is registered for one that was never used")
		}
	})
}

func TestRegistrationIsTriedAgain(t *testing.T) {
	onRegistry(t, newWorld(), func(r *registry) {
		r.failing.Store(true)
		r.delete(r.onlyKey())
		time.Sleep(3 * registrationInterval)
		synctest.Wait()
		if keys := r.keys(); len(keys) != 0 {
			r.Fatalf("%d keys are registered", len(keys))
		}
		r.failing.Store(false)
		time.Sleep(registrationInterval)
		synctest.Wait()
		r.onlyKey()
	})
}

func TestRegistrationWaitsForTheNode(t *testing.T) {
	onRegistry(t, newWorld(func(w *world) { w.node = nil }), func(r *registry) {
		if keys := r.keys(); len(keys) != 0 {
			r.Fatalf("%d keys are registered for a node that is not known", len(keys))
		}
		if err := r.client.Create(r.Context(), newWorld().node); err != nil {
			r.Fatal(err)
		}
		r.notify()
		if key := r.onlyKey(); key.Spec.NodeUID != "node-uid" {
			r.Errorf("the key is registered for node %q", key.Spec.NodeUID)
		}
	})
}

func TestNextKeyIsRegisteredAhead(t *testing.T) {
	onRegistry(t, newWorld(), func(r *registry) {
		first := r.onlyKey()
		r.tell(first, metav1.ConditionTrue)
		time.Sleep(23*time.Hour + time.Minute)
		synctest.Wait()
		if len(r.keys()) != 2 {
			r.Fatalf("%d keys are registered, not two", len(r.keys()))
		}
		for _, key := range r.keys() {
			r.tell(&key, metav1.ConditionTrue)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if signer := r.Ring.Signer(time.Now()); signer == nil || signer.ID == first.Name {
			r.Errorf("the key that signs is still %v", signer)
		}
		if r.cleared != 2 {
			r.Errorf("%d key changes are told, not two", r.cleared)
		}
	})
}
