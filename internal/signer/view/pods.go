package view

import (
	"context"
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"

	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// pageSize is the page size of lists that the API server does not stream.
	pageSize = 500

	// renewal is the minimum time that the API server is asked to keep a watch open; the maximum is twice as long.
	renewal = 30 * time.Minute

	// logEvery is the shortest time between two lines about failed watches.
	logEvery = 10 * time.Second
)

// retry is the backoff of a failed watch, the same as elsewhere in Kubernetes: all lose their API server at the same time.
var retry = wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Jitter: 1, Cap: 30 * time.Second, Steps: math.MaxInt32}

// forgivenAfter is the time without a failure after which the backoff starts over.
const forgivenAfter = 2 * time.Minute

// podWatcher lists and watches pods of all namespaces.
type podWatcher interface {
	List(ctx context.Context, options metav1.ListOptions) (*corev1.PodList, error)
	Watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error)
}

// watchPods keeps up with the pods of the node until the context ends. Their details are kept until they are shown, because editors of
// namespaces decide how large they are.
func (f *follower) watchPods(ctx context.Context) {
	if f.hub.pace.Wait(ctx) != nil {
		return
	}
	ofNode := fields.OneTermEqualSelector("spec.nodeName", f.node).String()
	listWatch := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = ofNode
			return f.hub.pods.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = ofNode
			return f.hub.pods.Watch(ctx, options)
		},
	}
	// The API server streams a list pod by pod, if it can.
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(listWatch, f.hub.pods), &corev1.Pod{}, &podStore{f},
		cache.ReflectorOptions{Name: "view of " + f.node, MinWatchTimeout: renewal})
	reflector.WatchListPageSize = pageSize
	_ = retry.DelayWithReset(clock.RealClock{}, forgivenAfter).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := reflector.ListAndWatchWithContext(ctx); err != nil {
			f.hub.logged.Do(func() { f.hub.log.Error(err, "the watch of a node's pods failed, and is tried again", "node", f.node) })
		}
		return false, nil
	})
}

// podStore receives the pods of a node, slimmed.
type podStore struct{ f *follower }

var _ cache.TransformingStore = (*podStore)(nil)

// Transformer slims a long list while it arrives.
func (s *podStore) Transformer() cache.TransformFunc { return slim.Pod }

// Add stores a pod.
func (s *podStore) Add(object any) error {
	pod, err := slimmed(object)
	if err != nil {
		return err
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.put(pod)
	return nil
}

// Update replaces a pod.
func (s *podStore) Update(object any) error { return s.Add(object) }

// Delete removes a pod.
func (s *podStore) Delete(object any) error {
	gone, ok := object.(metav1.Object)
	if !ok {
		return fmt.Errorf("forget %T: it is not a pod", object)
	}
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.remove(gone.GetUID())
	return nil
}

// Replace replaces all pods.
func (s *podStore) Replace(list []any, _ string) error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	left := map[types.UID]bool{}
	for uid := range s.f.pods {
		left[uid] = true
	}
	for _, object := range list {
		pod, err := slimmed(object)
		if err != nil {
			return err
		}
		delete(left, pod.UID)
		s.put(pod)
	}
	for uid := range left {
		s.remove(uid)
	}
	if !s.f.listed {
		s.f.listed = true
		s.f.queue.Add(complete)
	}
	return nil
}

// Resync does nothing: there are no readers to remind.
func (s *podStore) Resync() error { return nil }

func (s *podStore) put(pod *corev1.Pod) {
	s.f.pods[pod.UID], s.f.fresh[pod.UID] = subjectOf(pod), pod
	s.f.queue.Add(podKey(pod.UID))
}

func (s *podStore) remove(uid types.UID) {
	delete(s.f.pods, uid)
	delete(s.f.fresh, uid)
	s.f.queue.Add(podKey(uid))
}

func podKey(uid types.UID) signerapi.ViewKey {
	return signerapi.ViewKey{Kind: signerapi.ViewPod, Name: string(uid)}
}

// slimmed returns what is kept of a pod: what an issuer may know.
func slimmed(object any) (*corev1.Pod, error) {
	kept, err := slim.Pod(object)
	if err != nil {
		return nil, fmt.Errorf("slim %T: %w", object, err)
	}
	pod, ok := kept.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("keep %T: it is not a pod", object)
	}
	return shownOf(pod), nil
}

// subject returns what decides of a pod of the node, or nil.
func (f *follower) subject(uid types.UID) *subject {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pods[uid]
}

// takeFresh returns a pod that has changed since it was shown, once, or nil.
func (f *follower) takeFresh(uid types.UID) *corev1.Pod {
	f.mu.Lock()
	defer f.mu.Unlock()
	pod := f.fresh[uid]
	delete(f.fresh, uid)
	return pod
}

// isListed reports whether all pods of the node have been listed.
func (f *follower) isListed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listed
}
