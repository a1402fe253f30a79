package view

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// keysOf returns what a pod that asks for identities depends on: identities first, because the rest names them.
func keysOf(pod *subject, names []string) []signerapi.ViewKey {
	keys := make([]signerapi.ViewKey, 0, len(names)+4)
	for _, name := range names {
		keys = append(keys, signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: name})
	}
	return append(keys,
		signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: pod.Namespace, Name: pod.ServiceAccount},
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
	holders, found := f.held[key]
	if !found {
		holders = map[types.UID]struct{}{}
		f.held[key] = holders
		f.hub.subscribe(f, key)
	}
	holders[uid] = struct{}{}
	return !found
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
