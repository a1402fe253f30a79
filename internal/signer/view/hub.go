package view

import (
	"context"
	"sync"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// maxViews bounds all views. One takes some 100 KiB, half of which is for its connections.
	maxViews = 8192

	// maxViewsOfNode bounds the views of a node: during an update it has two issuers. Beyond it the oldest view ends.
	maxViewsOfNode = 4

	// startsPerSecond bounds how fast the pods of nodes are listed: all issuers come at once when a signer ends.
	startsPerSecond = 100
	startsBurst     = 500
)

// Hub shows the views of all nodes. Handler tells it of changes.
type Hub struct {
	source directory.Source
	pods   podWatcher
	log    logr.Logger
	pace   *rate.Limiter

	// logged limits the log when the pods of many nodes cannot be watched for the same reason.
	logged rate.Sometimes

	mu sync.Mutex
	// followers are the views that each object is part of.
	followers map[signerapi.ViewKey]map[*follower]struct{}
	// views are those of each node, the oldest first.
	views   map[string][]*follower
	count   int
	stopped bool
}

// NewHub returns a Hub. The source has everything but the details of pods.
func NewHub(source directory.Source, pods podWatcher, log logr.Logger) *Hub {
	return &Hub{
		source: source, pods: pods, log: log, pace: rate.NewLimiter(startsPerSecond, startsBurst), logged: rate.Sometimes{Interval: logEvery},
		followers: map[signerapi.ViewKey]map[*follower]struct{}{}, views: map[string][]*follower{},
	}
}

// Follow sends the view of a node, and its changes, until the context ends, the issuer's pod is gone, or sending fails.
func (h *Hub) Follow(ctx context.Context, node, issuerUID string, to Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := newFollower(h, node, issuerUID, to, cancel)
	if !h.enter(f) {
		return failure.NotNow("the signer shows the views of too many nodes, or stops")
	}
	defer h.leave(f)
	return f.run(ctx)
}

// Start ends all views when the context ends, so that their issuers soon have those of another signer.
func (h *Hub) Start(ctx context.Context) error {
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, own := range h.views {
		for _, f := range own {
			f.cancel()
		}
	}
	return nil
}

// NeedLeaderElection returns false: every replica shows views.
func (h *Hub) NeedLeaderElection() bool { return false }

// enter admits a view unless there are too many.
func (h *Hub) enter(f *follower) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped || h.count >= maxViews {
		return false
	}
	own := h.views[f.node]
	for _, old := range own[:max(0, len(own)-maxViewsOfNode+1)] {
		old.cancel()
	}
	h.count++
	h.views[f.node] = append(own, f)
	views.Inc()
	return true
}

func (h *Hub) leave(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range f.held {
		h.drop(f, key)
	}
	own := h.views[f.node]
	for i, one := range own {
		if one == f {
			own = append(own[:i:i], own[i+1:]...)
			break
		}
	}
	if h.views[f.node] = own; len(own) == 0 {
		delete(h.views, f.node)
	}
	h.count--
	views.Dec()
}

// subscribe makes a view hear of changes of an object.
func (h *Hub) subscribe(f *follower, key signerapi.ViewKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers[key] == nil {
		h.followers[key] = map[*follower]struct{}{}
	}
	h.followers[key][f] = struct{}{}
}

func (h *Hub) unsubscribe(f *follower, key signerapi.ViewKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(f, key)
}

func (h *Hub) drop(f *follower, key signerapi.ViewKey) {
	delete(h.followers[key], f)
	if len(h.followers[key]) == 0 {
		delete(h.followers, key)
	}
}

// notify makes the views that an object is part of look at it.
func (h *Hub) notify(key signerapi.ViewKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for f := range h.followers[key] {
		f.queue.Add(key)
	}
}

// Handler receives the changes of all kinds but pods.
func (h *Hub) Handler() cache.ResourceEventHandler {
	changed := func(object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		if key, ok := keyOf(object); ok {
			h.notify(key)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    changed,
		UpdateFunc: func(_, now any) { changed(now) },
		DeleteFunc: changed,
	}
}

// keyOf returns the key that an object is part of.
func keyOf(object any) (signerapi.ViewKey, bool) {
	switch one := object.(type) {
	case *corev1.Node:
		return signerapi.ViewKey{Kind: signerapi.ViewNode, Name: one.Name}, true
	case *v1alpha1.ManagedIdentity:
		return signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: one.Name}, true
	case *v1alpha1.IdentityBinding:
		return signerapi.ViewKey{Kind: signerapi.ViewBindings, Namespace: one.Namespace}, true
	case *corev1.Service:
		return signerapi.ViewKey{Kind: signerapi.ViewLoadBalancers, Namespace: one.Namespace}, true
	case *metav1.PartialObjectMetadata:
		if one.Namespace == "" {
			return signerapi.ViewKey{Kind: signerapi.ViewNamespace, Name: one.Name}, true
		}
		return signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: one.Namespace, Name: one.Name}, true
	}
	return signerapi.ViewKey{}, false
}
