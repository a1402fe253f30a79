package signer

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNodes is how many nodes are told apart at most. Their names come from tokens of issuers, so there are no more than
// have joined the cluster.
const maxNodes = 20_000

// NodeLimits bounds what the issuer of each node asks, so that one that was stolen does not starve the others.
type NodeLimits struct {
	perSecond rate.Limit
	burst     int

	mu    sync.Mutex
	nodes map[string]*rate.Limiter
}

// NewNodeLimits lets each node ask perSecond times a second in the long run, and burst times at once after a calm.
func NewNodeLimits(perSecond float64, burst int) *NodeLimits {
	return &NodeLimits{perSecond: rate.Limit(perSecond), burst: burst, nodes: map[string]*rate.Limiter{}}
}

// take lets a node ask once, or tells how long it is to wait.
func (l *NodeLimits) take(node string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, found := l.nodes[node]
	if !found {
		if len(l.nodes) >= maxNodes {
			clear(l.nodes)
		}
		bucket = rate.NewLimiter(l.perSecond, l.burst)
		l.nodes[node] = bucket
	}
	reservation := bucket.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}
