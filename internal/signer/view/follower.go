package view

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// changesPerSecond bounds how often a view looks at what has changed: a user who writes bindings all day must not keep
	// every node busy that has a pod of theirs. The burst covers all pods of a node.
	changesPerSecond = 500
	changesBurst     = 2000

	// heartbeat is less than signerapi.HeartbeatSeconds, because the queue may be long.
	heartbeat = signerapi.HeartbeatSeconds * time.Second / 3
)

// complete and alive are entries of a queue that are not objects.
var (
	complete = signerapi.ViewKey{Kind: "Complete"}
	alive    = signerapi.ViewKey{}
)

// noPod holds what a view has without any pod.
const noPod types.UID = ""

// errIssuerGone ends the view of an issuer whose pod was deleted: what was stolen from it is of no use any more.
var errIssuerGone error = failure.Denied(failure.ReasonUnknownPod, "the issuer's pod is gone")

// follower follows what the pods of one node depend on, and writes it.
type follower struct {
	hub    *Hub
	node   string
	issuer types.UID
	writer *stateWriter
	cancel context.CancelFunc
	pace   *rate.Limiter

	// queue has what may have changed.
	queue workqueue.TypedInterface[signerapi.ViewKey]

	mu sync.Mutex
	// pods has what decides of each pod of the node, and fresh those that have changed since they were shown.
	pods, fresh map[types.UID]*corev1.Pod
	listed      bool

	// The rest belongs to run: the pods that hold each key, and what each pod holds.
	held    map[signerapi.ViewKey]map[types.UID]struct{}
	holding map[types.UID]*holding
}

// holding is what a pod depends on.
type holding struct {
	pod   *corev1.Pod
	keys  []signerapi.ViewKey
	names []string

	// wants reports whether the pod asks for more identities than there was room for.
	wants bool
}

func newFollower(h *Hub, node, issuerUID string, to Writer, cancel context.CancelFunc) *follower {
	return &follower{
		hub: h, node: node, issuer: types.UID(issuerUID), writer: newStateWriter(to, h.log), cancel: cancel,
		pace: rate.NewLimiter(changesPerSecond, changesBurst), queue: workqueue.NewTyped[signerapi.ViewKey](),
		pods: map[types.UID]*corev1.Pod{}, fresh: map[types.UID]*corev1.Pod{}, held: map[signerapi.ViewKey]map[types.UID]struct{}{}, holding: map[types.UID]*holding{},
	}
}

// run writes changes until the context ends, the issuer's pod is gone, or writing fails.
func (f *follower) run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	defer f.cancel()
	context.AfterFunc(ctx, f.queue.ShutDown)
	working.Go(func() { f.watchPods(ctx) })
	working.Go(func() { f.beat(ctx) })
	node := signerapi.ViewKey{Kind: signerapi.ViewNode, Name: f.node}
	f.acquire(noPod, node)
	f.queue.Add(node)
	for {
		key, ended := f.queue.Get()
		if ended || f.pace.Wait(ctx) != nil {
			return nil
		}
		err := f.look(ctx, key)
		f.queue.Done(key)
		if err == nil && f.queue.Len() == 0 {
			err = f.writer.flush()
		}
		if err != nil {
			return err
		}
	}
}

// beat keeps the connection alive.
func (f *follower) beat(ctx context.Context) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.queue.Add(alive)
		case <-ctx.Done():
			return
		}
	}
}

// look writes what has changed of a key, and what pods depend on because of it.
func (f *follower) look(ctx context.Context, key signerapi.ViewKey) error {
	switch key.Kind {
	case alive.Kind:
		return f.writer.write(signerapi.ViewChange{})
	case complete.Kind:
		return f.finish()
	case signerapi.ViewPod:
		return f.lookAtPod(ctx, types.UID(key.Name), key)
	case signerapi.ViewServiceAccount, signerapi.ViewNamespace, signerapi.ViewBindings:
		// They decide what pods ask for.
		for uid := range maps.Clone(f.held[key]) {
			if err := f.lookAtPod(ctx, uid, key); err != nil {
				return err
			}
		}
		return nil
	default:
		return f.show(ctx, key)
	}
}

// finish ends the first part of the view, which must have the issuer's own pod.
func (f *follower) finish() error {
	if f.pod(f.issuer) == nil {
		return errIssuerGone
	}
	return f.writer.write(signerapi.ViewChange{Complete: true})
}

// lookAtPod writes a pod after everything that it depends on and that is new or has changed. It forgets last what the pod depended on
// before.
func (f *follower) lookAtPod(ctx context.Context, uid types.UID, changed signerapi.ViewKey) error {
	pod, before := f.pod(uid), f.holding[uid]
	if pod == nil && uid == f.issuer && f.isListed() {
		return errIssuerGone
	}
	if pod == nil && before == nil {
		return nil
	}
	now := &holding{pod: pod}
	if before != nil {
		now.wants = before.wants
	} else {
		before = &holding{}
	}
	if pod != nil && directory.Asks(pod) {
		f.afford(ctx, now, len(before.names))
		now.keys = keysOf(pod, now.names)
	}
	f.holding[uid] = now
	for _, key := range now.keys {
		if f.acquire(uid, key) || key == changed || (isShared(key) && before.pod != pod) {
			if err := f.show(ctx, key); err != nil {
				return err
			}
		}
	}
	if err := f.showPod(uid, pod == nil); err != nil {
		return err
	}
	if pod == nil {
		delete(f.holding, uid)
	}
	return f.release(ctx, uid, before.keys, now.keys)
}

// keysOf returns what a pod that asks for identities depends on: identities first, because the rest names them.
func keysOf(pod *corev1.Pod, names []string) []signerapi.ViewKey {
	keys := make([]signerapi.ViewKey, 0, len(names)+4)
	for _, name := range names {
		keys = append(keys, signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: name})
	}
	return append(keys,
		signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName},
		signerapi.ViewKey{Kind: signerapi.ViewNamespace, Name: pod.Namespace},
		signerapi.ViewKey{Kind: signerapi.ViewBindings, Namespace: pod.Namespace},
		signerapi.ViewKey{Kind: signerapi.ViewLoadBalancers, Namespace: pod.Namespace},
	)
}

// isShared reports whether a pod decides what of a key is shown: of a namespace's objects those that concern the node's pods.
func isShared(key signerapi.ViewKey) bool {
	return key.Kind == signerapi.ViewBindings || key.Kind == signerapi.ViewLoadBalancers
}

// acquire makes a pod hold a key, and reports whether it is the first.
func (f *follower) acquire(uid types.UID, key signerapi.ViewKey) bool {
	holders := f.held[key]
	if holders == nil {
		holders = map[types.UID]struct{}{}
		f.held[key] = holders
		f.hub.subscribe(f, key)
	}
	holders[uid] = struct{}{}
	return len(holders) == 1
}

// release makes a pod give up the keys that it no longer needs. What no pod needs is forgotten.
func (f *follower) release(ctx context.Context, uid types.UID, before, now []signerapi.ViewKey) error {
	for _, key := range before {
		if slices.Contains(now, key) {
			continue
		}
		delete(f.held[key], uid)
		var err error
		switch {
		case len(f.held[key]) == 0:
			err = f.end(key)
		case isShared(key):
			err = f.show(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end forgets a key that no pod holds.
func (f *follower) end(key signerapi.ViewKey) error {
	delete(f.held, key)
	f.hub.unsubscribe(f, key)
	if key.Kind == signerapi.ViewIdentity {
		f.shareOut()
	}
	return f.writer.forget(key)
}

// show writes the objects of a key as they are now, if they have changed.
func (f *follower) show(ctx context.Context, key signerapi.ViewKey) error {
	holders := f.held[key]
	if holders == nil {
		return nil
	}
	objects, err := f.objectsOf(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s %s/%s: %w", key.Kind, key.Namespace, key.Name, err)
	}
	pods := make([]string, 0, len(holders))
	for uid := range holders {
		if uid != noPod {
			pods = append(pods, string(uid))
		}
	}
	return f.writer.show(key, objects, pods)
}

// showPod writes that a pod is gone, or the pod if it has changed.
func (f *follower) showPod(uid types.UID, gone bool) error {
	if gone {
		return f.writer.forget(podKey(uid))
	}
	if pod := f.takeFresh(uid); pod != nil {
		return f.writer.show(podKey(uid), []any{pod}, []string{string(uid)})
	}
	return nil
}
