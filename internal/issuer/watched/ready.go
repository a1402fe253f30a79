package watched

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// settleWithin is how long an issuer that starts may wait for what the node's pods hang on. One pod of which nothing can be learnt
// must not keep the others from being served.
const settleWithin = 20 * time.Second

// Ready reports whether once, since the start, all was known that the node's pods hang on. An issuer that takes the place of
// another one then answers as that did.
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
