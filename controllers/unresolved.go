package controllers

import (
	"sync"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// patience is how long an identity that was not reconciled yet is waited for. At the start of a controller in a large cluster, it is the turn
// of the last of them after a minute or so. Longer than that, something is wrong, which a status must say.
const patience = 2 * time.Minute

// unresolved decides whether to wait for identities that were not reconciled yet: they will be soon, and what depends on them is written once
// instead of twice.
type unresolved struct {
	now func() time.Time

	// started returns when the first object was reconciled.
	started func() time.Time
}

func newUnresolved(now func() time.Time) unresolved { return unresolved{now, sync.OnceValue(now)} }

// wait returns how long to wait for an identity; zero if it was reconciled, or had the time for it.
func (u unresolved) wait(identity *v1alpha1.ManagedIdentity) time.Duration {
	now, started := u.now(), u.started()
	if apimeta.FindStatusCondition(identity.Status.Conditions, v1alpha1.ConditionReady) != nil {
		return 0
	}
	var longest time.Duration
	for _, since := range []time.Time{started, identity.CreationTimestamp.Time} {
		// The API server's clock may be another one. What is far ahead of this one's says nothing.
		longest = max(longest, patience-now.Sub(since).Abs())
	}
	return longest
}
