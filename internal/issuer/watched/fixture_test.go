package watched

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	source "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// stage holds the watches of a node in a synctest bubble.
type stage struct {
	*testing.T
	*Watches
	api *cluster
}

func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		test(s)
	})
}

func newStage(t *testing.T) *stage {
	s := &stage{T: t, api: &cluster{sources: map[key]*source.FakeControllerSource{}, asked: map[key]int{}, watching: map[key]int{}}}
	s.Watches = New(directory.Caches{}, s.api, directory.NewChanges(), logr.Discard())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		s.api.shutdown()
	})
	return s
}

// arrive adds pods to the node or changes them.
func (s *stage) arrive(pods ...*corev1.Pod) {
	for _, pod := range pods {
		s.Handler().OnAdd(pod, false)
	}
	synctest.Wait()
}

func (s *stage) leave(pods ...*corev1.Pod) {
	for _, pod := range pods {
		s.Handler().OnDelete(pod)
	}
	synctest.Wait()
}

// grantOf returns the grant of a pod.
func (s *stage) grantOf(pod *corev1.Pod) (grant.Grant, error) {
	return grant.Load(context.Background(), s.Watches, pod, "")
}

// wantGranted checks the names of the identities that a pod is granted.
func (s *stage) wantGranted(pod *corev1.Pod, names ...string) {
	s.Helper()
	synctest.Wait()
	granted, err := s.grantOf(pod)
	if err != nil {
		s.Fatalf("no decision: %v", err)
	}
	var got []string
	for _, one := range granted.Identities {
		got = append(got, one.Name)
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		s.Fatalf("%v are granted, want %v; refused are %v", got, names, granted.Refusals)
	}
}

// wantUnknown checks that a pod's grant is unknown.
func (s *stage) wantUnknown(pod *corev1.Pod) {
	s.Helper()
	synctest.Wait()
	if _, err := s.grantOf(pod); !errors.Is(err, directory.ErrNotKnown) {
		s.Fatalf("the grant is decided: %v", err)
	}
}

// wantWatches checks the number of watches at the API server.
func (s *stage) wantWatches(want int) {
	s.Helper()
	synctest.Wait()
	if got := s.api.watches(); got != want {
		s.Fatalf("%d watches are running, want %d", got, want)
	}
}

// cluster is an API server with the created objects.
type cluster struct {
	mu       sync.Mutex
	sources  map[key]*source.FakeControllerSource
	asked    map[key]int
	watching map[key]int

	// away, if set, is the error of requests.
	away error
}

// of returns the source of the objects of a key.
func (c *cluster) of(watched key) *source.FakeControllerSource {
	if c.sources[watched] == nil {
		c.sources[watched] = source.NewFakeControllerSource()
	}
	return c.sources[watched]
}

func (c *cluster) List(_ context.Context, watched key, options metav1.ListOptions) (runtime.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[watched]++; c.away != nil {
		return nil, c.away
	}
	return c.of(watched).List(options)
}

func (c *cluster) Watch(ctx context.Context, watched key, options metav1.ListOptions) (apiwatch.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return nil, c.away
	}
	c.watching[watched]++
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watching[watched]--
	})
	return c.of(watched).Watch(options)
}

// IsWatchListSemanticsUnSupported returns true: lists are not streamed.
func (c *cluster) IsWatchListSemanticsUnSupported() bool { return true }

func (c *cluster) watches() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, count := range c.watching {
		sum += count
	}
	return sum
}

func (c *cluster) lists(of key) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[of]
}

func (c *cluster) goAway(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = err
}

// change sends watches an event of objects.
func (c *cluster) change(what apiwatch.EventType, objects ...client.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, object := range objects {
		c.of(keyOf(object)).Change(apiwatch.Event{Type: what, Object: object}, 1)
	}
}

func (c *cluster) create(objects ...client.Object) { c.change(apiwatch.Added, objects...) }
func (c *cluster) update(objects ...client.Object) { c.change(apiwatch.Modified, objects...) }
func (c *cluster) delete(objects ...client.Object) { c.change(apiwatch.Deleted, objects...) }

func (c *cluster) shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.sources {
		one.Shutdown()
	}
}

// keyOf returns the key by which an object is watched.
func keyOf(object client.Object) key {
	switch object.(type) {
	case *v1alpha1.ManagedIdentity:
		return key{identity, "", object.GetName()}
	case *v1alpha1.IdentityBinding:
		return key{bindings, object.GetNamespace(), ""}
	case *corev1.Service:
		return key{loadBalancers, object.GetNamespace(), ""}
	}
	if object.GetNamespace() == "" {
		return key{namespaces, "", object.GetName()}
	}
	return key{serviceAccount, object.GetNamespace(), object.GetName()}
}

// newPod returns a pod of the ServiceAccount shop/orders that asks for identities.
func newPod(name, asks string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{ServiceAccountName: "orders", Volumes: []corev1.Volume{build.IssuerToken()}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if asks != "" {
		pod.Annotations = map[string]string{v1alpha1.IdentityAnnotation: asks}
	}
	return pod
}

// account and shop return the ServiceAccount and the namespace of newPod's pods.
func account(asks string) *metav1.PartialObjectMetadata {
	made := directory.Metadata("ServiceAccount")
	made.Namespace, made.Name, made.UID = "shop", "orders", "uid-orders"
	if asks != "" {
		made.Annotations = map[string]string{v1alpha1.IdentityAnnotation: asks}
	}
	return made
}

func shop() *metav1.PartialObjectMetadata {
	made := directory.Metadata("Namespace")
	made.Name = "shop"
	return made
}

// newIdentity returns a ready identity that admits the namespace shop.
func newIdentity(name string) client.Object {
	made := build.NewIdentity(name).Admitting("shop", "*").ManagedIdentity
	made.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	return made
}

func newBinding(name string, identities ...string) client.Object {
	return build.NewBinding("shop", name).Of("orders").To(identities...).IdentityBinding
}
