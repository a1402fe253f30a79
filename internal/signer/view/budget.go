package view

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// maxNames bounds the identities in a view for the pods of one namespace. Without it, a user who may annotate pods could
	// fill an issuer with 32 names per pod, whether they exist or not.
	maxNames = 128

	// maxAllNames bounds the identities in a view.
	maxAllNames = 1024
)

// afford names those identities of a pod that the bounds have room for. The others stay unknown until there is room. before is how
// many the pod had.
func (f *follower) afford(ctx context.Context, uid types.UID, one *holding, before int) {
	wanted := one.wants
	own, all := f.namesOfOthers(uid, one.pod.Namespace)
	one.names, one.wants = nil, false
	for _, name := range askedBy(ctx, f.hub.source, one.pod) {
		if (!own[name] && len(own) >= maxNames) || (!all[name] && len(all) >= maxAllNames) {
			one.wants = true
			continue
		}
		own[name], all[name] = true, true
		one.names = append(one.names, name)
	}
	if one.wants && !wanted {
		f.hub.log.Info("pods of a node ask for more identities than it may know: some get no tokens", "node", f.node,
			"namespace", one.pod.Namespace, "pod", one.pod.name, "mostOfANamespace", maxNames, "most", maxAllNames)
	}
	if len(one.names) < before {
		f.shareOut()
	}
}

// namesOfOthers returns the identities named for the other pods of a pod's namespace, and for all other pods.
func (f *follower) namesOfOthers(uid types.UID, namespace string) (own, all map[string]bool) {
	own, all = map[string]bool{}, map[string]bool{}
	for other, one := range f.holding {
		if other == uid {
			continue
		}
		for _, name := range one.names {
			all[name] = true
			if one.pod.Namespace == namespace {
				own[name] = true
			}
		}
	}
	return own, all
}

// shareOut looks again at the pods that ask for more than there was room for.
func (f *follower) shareOut() {
	for uid, one := range f.holding {
		if one.wants {
			f.queue.Add(podKey(uid))
		}
	}
}
