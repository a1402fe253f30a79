// Package view knows what the signer shows of the issuer's node: its Node, its pods, and what they depend on
// (docs/design/node-views.md).
package view

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// View is what is known of the node. What was known stays known while no signer can be reached.
type View struct {
	connect Connect
	changes *directory.Changes
	taints  *disruption.TaintTimes
	log     logr.Logger
	seed    maphash.Seed

	completed atomic.Bool

	mu sync.RWMutex
	// parts are complete: without objects, what a key names does not exist. A key that is missing is unknown.
	parts map[signerapi.ViewKey]part
}

// part is what is known of a key.
type part struct {
	// value is the object of the key, nil if there is none, or the list of its objects.
	value any

	// hash is that of the objects as the signer sent them, to see whether a new view differs.
	hash uint64

	// round is the number of the view that named the key last.
	round int
}

var _ directory.Source = (*View)(nil)

// New returns a View that notifies changes. It dates taints without a time.
func New(connect Connect, changes *directory.Changes, taints *disruption.TaintTimes, log logr.Logger) *View {
	return &View{connect: connect, changes: changes, taints: taints, log: log, seed: maphash.MakeSeed(), parts: map[signerapi.ViewKey]part{}}
}

// Ready reports whether everything was known once. From then on the issuer answers as its predecessor did.
func (v *View) Ready() bool { return v.completed.Load() }

// apply takes a change of a view, and wakes the pods that it concerns.
func (v *View) apply(change signerapi.ViewChange, round int) error {
	switch {
	case change.Complete:
		v.forgetOlder(round)
		v.completed.Store(true)
		return nil
	case change.Kind == "":
		return nil
	case change.Forgotten:
		v.forget(change.ViewKey)
	default:
		if changed, err := v.put(change, round); err != nil || !changed {
			return err
		}
	}
	for _, uid := range change.Pods {
		v.changes.NotifyPod(uid)
	}
	return nil
}

// put keeps the objects of a key, and reports whether they are others than before.
func (v *View) put(change signerapi.ViewChange, round int) (changed bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := part{hash: v.hash(change.Objects), round: round}
	before, found := v.parts[change.ViewKey]
	if found && before.hash == now.hash {
		now.value = before.value
		v.parts[change.ViewKey] = now
		return false, nil
	}
	if now.value, err = v.parse(change); err != nil {
		return false, fmt.Errorf("parse %s %s/%s of the node's view: %w", change.Kind, change.Namespace, change.Name, err)
	}
	v.parts[change.ViewKey] = now
	return true, nil
}

func (v *View) hash(objects []json.RawMessage) uint64 {
	var hash maphash.Hash
	hash.SetSeed(v.seed)
	for _, object := range objects {
		_, _ = hash.Write(object)
	}
	return hash.Sum64()
}

// parse parses the objects of a change. It returns nil for kinds that later signers may show.
func (v *View) parse(change signerapi.ViewChange) (any, error) {
	switch change.Kind {
	case signerapi.ViewNode:
		node, err := one[corev1.Node](change.Objects)
		if err == nil && node != nil {
			node.Spec.Taints = v.taints.Date(node.Spec.Taints)
		}
		return node, err
	case signerapi.ViewPod:
		return one[corev1.Pod](change.Objects)
	case signerapi.ViewServiceAccount, signerapi.ViewNamespace:
		return one[metav1.PartialObjectMetadata](change.Objects)
	case signerapi.ViewIdentity:
		return one[v1alpha1.ManagedIdentity](change.Objects)
	case signerapi.ViewBindings:
		return all[v1alpha1.IdentityBinding](change.Objects)
	case signerapi.ViewLoadBalancers:
		return all[corev1.Service](change.Objects)
	default:
		return nil, nil
	}
}

// one parses the only object of a key. It returns nil if there is none.
func one[T any](objects []json.RawMessage) (*T, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	object := new(T)
	return object, json.Unmarshal(objects[0], object)
}

// all parses the objects of a key.
func all[T any](objects []json.RawMessage) ([]T, error) {
	parsed := make([]T, len(objects))
	for i, object := range objects {
		if err := json.Unmarshal(object, &parsed[i]); err != nil {
			return nil, err
		}
	}
	return parsed, nil
}

func (v *View) forget(key signerapi.ViewKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.parts, key)
}

// forgetOlder forgets what a complete view has not named, and wakes the pods that are gone.
func (v *View) forgetOlder(round int) {
	v.mu.Lock()
	var gone []string
	for key, one := range v.parts {
		if one.round == round {
			continue
		}
		delete(v.parts, key)
		if key.Kind == signerapi.ViewPod {
			gone = append(gone, key.Name)
		}
	}
	v.mu.Unlock()
	for _, uid := range gone {
		v.changes.NotifyPod(uid)
	}
}
