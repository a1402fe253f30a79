package view

import (
	"context"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

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

	// pulse shows that the connection is alive.
	pulse *time.Timer

	// queue has what may have changed.
	queue workqueue.TypedInterface[signerapi.ViewKey]

	mu sync.Mutex
	// pods has what decides of each pod of the node, and fresh those that have changed since they were shown.
	pods   map[types.UID]*subject
	fresh  map[types.UID]*corev1.Pod
	listed bool

	// The rest belongs to run: the pods that hold each key, and what each pod holds.
	held    map[signerapi.ViewKey]map[types.UID]struct{}
	holding map[types.UID]*holding
}

// holding is what a pod depends on.
type holding struct {
	pod   *subject
	keys  []signerapi.ViewKey
	names []string

	// wants reports whether the pod asks for more identities than there was room for.
	wants bool
}

func newFollower(h *Hub, node, issuerUID string, to Writer, cancel context.CancelFunc) *follower {
	return &follower{
		hub: h, node: node, issuer: types.UID(issuerUID), writer: newStateWriter(to, h.log), cancel: cancel,
		pace: rate.NewLimiter(changesPerSecond, changesBurst), queue: workqueue.NewTyped[signerapi.ViewKey](),
		pods: map[types.UID]*subject{}, fresh: map[types.UID]*corev1.Pod{}, held: map[signerapi.ViewKey]map[types.UID]struct{}{}, holding: map[types.UID]*holding{},
	}
}

// run writes changes until the context ends, the issuer's pod is gone, or writing fails.
func (f *follower) run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	defer f.cancel()
	context.AfterFunc(ctx, f.queue.ShutDown)
	working.Go(func() { f.watchPods(ctx) })
	f.pulse = time.AfterFunc(heartbeat, func() { f.queue.Add(alive) })
	defer f.pulse.Stop()
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

// look writes what has changed of a key, and what pods depend on because of it.
func (f *follower) look(ctx context.Context, key signerapi.ViewKey) error {
	switch key.Kind {
	case alive.Kind:
		f.pulse.Reset(heartbeat)
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
	if f.subject(f.issuer) == nil {
		return errIssuerGone
	}
	return f.writer.write(signerapi.ViewChange{Complete: true})
}

// lookAtPod writes a pod after everything that it depends on and that is new or has changed. It forgets last what the pod depended on
// before.
func (f *follower) lookAtPod(ctx context.Context, uid types.UID, changed signerapi.ViewKey) error {
	pod, before := f.subject(uid), f.holding[uid]
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
	if pod.asks() {
		f.afford(ctx, uid, now, len(before.names))
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
