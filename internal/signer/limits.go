package signer

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNodes bounds the limits. The names come from issuers' tokens, so there are no more than nodes that have joined the
// cluster.
const maxNodes = 20_000

// NodeLimits limits the requests of each node's issuer, so that a stolen one does not starve the others.
type NodeLimits struct {
	perSecond rate.Limit
	burst     int

	mu    sync.Mutex
	nodes map[string]*rate.Limiter
}

// NewNodeLimits allows each node perSecond requests in the long run, and burst at once.
func NewNodeLimits(perSecond float64, burst int) *NodeLimits {
	return &NodeLimits{perSecond: rate.Limit(perSecond), burst: burst, nodes: map[string]*rate.Limiter{}}
}

// take admits a request of a node, or returns how long to wait.
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
