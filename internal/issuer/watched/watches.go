package watched

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
)

const (
	// followsPerSecond bounds how often pods are looked at again and waiting requests are woken: a user who writes
	// bindings all day must not keep every node busy that has a pod of theirs. The burst covers all pods of a node.
	followsPerSecond = 500
	followsBurst     = 1000
)

// Watches watch what the pods of a node depend on. They come and go with the pods, not with requests.
type Watches struct {
	// local holds the caches of the node's own pods and its Node.
	local directory.Caches

	changes *directory.Changes
	log     logr.Logger
	pool    *pool
	dirty   workqueue.TypedInterface[types.UID]
	pace    *rate.Limiter
	started atomic.Pointer[time.Time]
	settled atomic.Bool

	mu   sync.Mutex
	pods map[types.UID]*follower
}

// follower is a pod with the identities that are watched for it.
type follower struct {
	pod   *corev1.Pod
	names []string

	// wants reports whether the pod asks for more identities than there was room for.
	wants bool
}

var _ directory.Source = (*Watches)(nil)

// New returns Watches for the pods that Handler receives. They notify changes.
func New(local directory.Caches, of api, changes *directory.Changes, log logr.Logger) *Watches {
	w := &Watches{
		local: local, changes: changes, log: log, pods: map[types.UID]*follower{},
		dirty: workqueue.NewTyped[types.UID](), pace: rate.NewLimiter(followsPerSecond, followsBurst),
	}
	w.pool = newPool(newRunner(of, log).run, func(pod types.UID) { w.dirty.Add(pod) })
	return w
}

// Start follows pods until the context ends.
func (w *Watches) Start(ctx context.Context) error {
	w.started.Store(new(time.Now()))
	context.AfterFunc(ctx, w.dirty.ShutDown)
	defer w.pool.running.Wait()
	for {
		uid, ended := w.dirty.Get()
		if ended || w.pace.Wait(ctx) != nil {
			return nil
		}
		w.follow(ctx, uid)
		w.dirty.Done(uid)
		w.changes.NotifyPod(string(uid))
	}
}

// NeedLeaderElection returns false: every issuer watches.
func (w *Watches) NeedLeaderElection() bool { return false }

// Handler receives the node's pods.
func (w *Watches) Handler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(now any) { w.see(now) },
		UpdateFunc: func(before, now any) {
			// After an interruption a watch may report a pod's successor as an update of the pod.
			if before, ok := before.(*corev1.Pod); ok && before.UID != now.(*corev1.Pod).UID {
				w.lose(before)
			}
			w.see(now)
		},
		DeleteFunc: func(before any) {
			if gone, ok := before.(cache.DeletedFinalStateUnknown); ok {
				before = gone.Obj
			}
			w.lose(before)
		},
	}
}

func (w *Watches) see(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.pods[pod.UID]; known != nil {
		known.pod = pod
	} else {
		w.pods[pod.UID] = &follower{pod: pod}
	}
	w.dirty.Add(pod.UID)
}

func (w *Watches) lose(object any) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.pods[pod.UID]; known != nil {
		delete(w.pods, pod.UID)
		w.shareOut()
	}
	w.dirty.Add(pod.UID)
}

// follow makes a pod hold the watches of what it depends on now, as far as that is known.
func (w *Watches) follow(ctx context.Context, uid types.UID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.pods[uid]
	if one == nil || !Asks(one.pod) {
		w.pool.hold(ctx, uid, nil)
		if one != nil && len(one.names) > 0 {
			one.names, one.wants = nil, false
			w.shareOut()
		}
		return
	}
	w.afford(one, w.askedBy(one.pod))
	w.pool.hold(ctx, uid, keysOf(one.pod, one.names))
}

// keysOf returns the watches of a pod that asks for identities.
func keysOf(pod *corev1.Pod, names []string) []key {
	keys := []key{
		{serviceAccount, pod.Namespace, pod.Spec.ServiceAccountName},
		{namespaces, "", pod.Namespace},
		{bindings, pod.Namespace, ""},
		{loadBalancers, pod.Namespace, ""},
	}
	for _, name := range names {
		keys = append(keys, key{identity, "", name})
	}
	return keys
}
