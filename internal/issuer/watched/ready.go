package watched

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// settleWithin bounds how long a starting issuer waits for what its pods depend on. A pod about which nothing can be
// learned must not keep the others waiting.
const settleWithin = 20 * time.Second

// Ready reports whether everything that the node's pods depend on was known once since the start. From then on the issuer
// answers as its predecessor did.
func (w *Watches) Ready() bool {
	started := w.started.Load()
	if started == nil {
		return false
	}
	if !w.settled.Load() && (w.isAllKnown() || time.Since(*started) > settleWithin) {
		w.settled.Store(true)
	}
	return w.settled.Load()
}

func (w *Watches) isAllKnown() bool {
	for _, pod := range w.asking() {
		if _, err := grant.Load(context.Background(), w, pod, ""); errors.Is(err, directory.ErrNotKnown) {
			return false
		}
	}
	return true
}

func (w *Watches) asking() []*corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	var pods []*corev1.Pod
	for _, one := range w.pods {
		if Asks(one.pod) {
			pods = append(pods, one.pod)
		}
	}
	return pods
}
