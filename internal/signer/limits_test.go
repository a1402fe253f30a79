package signer

import (
	"strconv"
	"testing"
	"time"
)

func TestThrottledRequestsDoNotDelayTheNode(t *testing.T) {
	t.Parallel()
	limits := NewNodeLimits(1, 1)
	now := time.Now()
	if wait := limits.take("node-1", now); wait != 0 {
		t.Fatalf("first request waits %s", wait)
	}
	for range 100 {
		if wait := limits.take("node-1", now); wait != time.Second {
			t.Fatalf("throttled request waits %s, want 1s", wait)
		}
	}
	if wait := limits.take("node-1", now.Add(time.Second)); wait != 0 {
		t.Errorf("request after a second waits %s", wait)
	}
}

func TestNodeLimitsAreBounded(t *testing.T) {
	t.Parallel()
	limits := NewNodeLimits(1, 1)
	now := time.Now()
	for n := range maxNodes + 10 {
		limits.take(strconv.Itoa(n), now)
	}
	if got := len(limits.nodes); got > maxNodes {
		t.Errorf("limits are kept for %d nodes, want at most %d", got, maxNodes)
	}
}
