package watched

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// grace is how long a watch outlives the last pod that needs it: the next pod of a rollout or a job needs it again.
	grace = time.Minute

	// maxIdle bounds the watches that no pod needs. Beyond it a watch ends with its last pod.
	maxIdle = 64
)

// pool runs watches while pods hold them. Pods share watches.
type pool struct {
	// run watches the objects of a key and puts them on the shelf until the context ends.
	run func(ctx context.Context, watched key, on *shelf)

	// changed is called for each pod that holds a watch when an object of the watch changes.
	changed func(pod types.UID)

	running sync.WaitGroup

	mu      sync.Mutex
	watches map[key]*watch
	held    map[types.UID][]key
	idle    int
}

// watch is a running watch.
type watch struct {
	shelf   *shelf
	holders map[types.UID]struct{}
	stop    context.CancelFunc

	// ending ends the watch after its grace period, while no pod holds it.
	ending *time.Timer
}

func newPool(run func(context.Context, key, *shelf), changed func(types.UID)) *pool {
	return &pool{run: run, changed: changed, watches: map[key]*watch{}, held: map[types.UID][]key{}}
}

// hold makes a pod hold exactly these watches. They run until ctx ends.
func (p *pool) hold(ctx context.Context, pod types.UID, keys []key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.held[pod]
	for _, one := range keys {
		p.acquire(ctx, pod, one)
	}
	for _, one := range before {
		if !slices.Contains(keys, one) {
			p.release(pod, one)
		}
	}
	if p.held[pod] = keys; len(keys) == 0 {
		delete(p.held, pod)
	}
}

// find returns the shelf of a running watch, or nil.
func (p *pool) find(sought key) *shelf {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.watches[sought]; found != nil {
		return found.shelf
	}
	return nil
}

func (p *pool) acquire(ctx context.Context, pod types.UID, wanted key) {
	found := p.watches[wanted]
	if found == nil {
		found = p.start(ctx, wanted)
	}
	if found.ending != nil {
		found.ending.Stop()
		found.ending = nil
		p.idle--
	}
	found.holders[pod] = struct{}{}
}

func (p *pool) start(parent context.Context, wanted key) *watch {
	ctx, stop := context.WithCancel(parent)
	made := &watch{holders: map[types.UID]struct{}{}, stop: stop}
	made.shelf = newShelf(wanted.slim(), func() { p.tell(made) })
	p.watches[wanted] = made
	running.WithLabelValues(string(wanted.kind)).Inc()
	p.running.Go(func() {
		defer running.WithLabelValues(string(wanted.kind)).Dec()
		p.run(ctx, wanted, made.shelf)
	})
	return made
}

// release makes a pod give up a watch, which ends soon if no other pod holds it.
func (p *pool) release(pod types.UID, unwanted key) {
	found := p.watches[unwanted]
	delete(found.holders, pod)
	if len(found.holders) > 0 {
		return
	}
	if p.idle >= maxIdle {
		p.end(unwanted, found)
		return
	}
	p.idle++
	found.ending = time.AfterFunc(grace, func() { p.expire(unwanted, found) })
}

// expire ends a watch that no pod holds.
func (p *pool) expire(unwanted key, found *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(found.holders) == 0 && p.watches[unwanted] == found {
		p.idle--
		p.end(unwanted, found)
	}
}

func (p *pool) end(unwanted key, found *watch) {
	found.stop()
	delete(p.watches, unwanted)
}

// tell calls changed for the pods that hold a watch.
func (p *pool) tell(of *watch) {
	p.mu.Lock()
	holders := make([]types.UID, 0, len(of.holders))
	for pod := range of.holders {
		holders = append(holders, pod)
	}
	p.mu.Unlock()
	for _, pod := range holders {
		p.changed(pod)
	}
}
