// Package rotation is when the keys of a vault are rotated: the policy of a key, and the times that follow from it.
package rotation

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// Policy is the rotation policy of a key in JSON, as requests and answers have it.
type Policy struct {
	ID         string     `json:"id,omitempty"`
	Actions    []Lifetime `json:"lifetimeActions"`
	Attributes Attributes `json:"attributes"`
}

// Attributes are what a policy has beside its actions. Times are in seconds since 1970 UTC.
type Attributes struct {
	// ExpiryTime is after which time a new version expires.
	ExpiryTime *Duration `json:"expiryTime,omitempty"`

	Created int64 `json:"created,omitempty"`
	Updated int64 `json:"updated,omitempty"`
}

// Lifetime is something that happens once in the life of a version.
type Lifetime struct {
	Trigger Trigger `json:"trigger"`
	Action  struct {
		Type Action `json:"type"`
	} `json:"action"`
}

// Trigger is when it happens. Exactly one of the two is set.
type Trigger struct {
	AfterCreate  *Duration `json:"timeAfterCreate,omitempty"`
	BeforeExpiry *Duration `json:"timeBeforeExpiry,omitempty"`
}

// Action is what happens.
type Action string

// The actions of Key Vault.
const (
	Rotate Action = "Rotate"
	Notify Action = "Notify"
)

const (
	// maxPolicy bounds the JSON of a policy, in bytes.
	maxPolicy = 16 << 10

	// shortestLife is what keys live at least, and margin how far a trigger is from the beginning and from the end of their lives.
	shortestLife = 28 * day
	margin       = 7 * day
)

// Default returns the policy of a key that was given none: people are told thirty days before it expires.
func Default() *Policy { return &Policy{Actions: []Lifetime{notifyByDefault()}} }

// notifyByDefault is what every policy has that says nothing else of Notify.
func notifyByDefault() Lifetime {
	notify := Lifetime{Trigger: Trigger{BeforeExpiry: &Duration{text: "P30D", days: 30}}}
	notify.Action.Type = Notify
	return notify
}

// Parse reads and checks the policy of a request. What only the vault says of a policy is left out.
func Parse(document []byte) (*Policy, error) {
	if len(document) > maxPolicy {
		return nil, refusal.New("The rotation policy is longer than %d bytes.", maxPolicy)
	}
	var policy Policy
	if err := json.Unmarshal(document, &policy); err != nil {
		if refused, ok := errors.AsType[*refusal.Error](err); ok {
			return nil, refused
		}
		return nil, refusal.New("The request body is not the JSON object that it should be.")
	}
	policy.ID, policy.Attributes.Created, policy.Attributes.Updated = "", 0, 0
	if err := policy.check(); err != nil {
		return nil, err
	}
	if policy.find(Notify) == nil {
		policy.Actions = append(policy.Actions, notifyByDefault())
	}
	return &policy, nil
}

// check refuses what Key Vault's documentation rules out. It writes the actions as Key Vault does: requests may have them in any case.
func (p *Policy) check() error {
	if life := p.Attributes.ExpiryTime; life != nil && life.nominal() < shortestLife {
		return refusal.New("The expiryTime %s is shorter than 28 days.", life)
	}
	seen := map[Action]bool{}
	for i := range p.Actions {
		one := &p.Actions[i]
		switch {
		case strings.EqualFold(string(one.Action.Type), string(Rotate)):
			one.Action.Type = Rotate
		case strings.EqualFold(string(one.Action.Type), string(Notify)):
			one.Action.Type = Notify
		default:
			return refusal.New("The action %.64q is neither Rotate nor Notify.", one.Action.Type)
		}
		if seen[one.Action.Type] {
			return refusal.New("There is more than one action %s.", one.Action.Type)
		}
		seen[one.Action.Type] = true
		if err := p.checkTrigger(one.Action.Type, one.Trigger); err != nil {
			return err
		}
	}
	return nil
}

// checkTrigger refuses what is too near to the beginning or the end of a life, or cannot be.
func (p *Policy) checkTrigger(action Action, trigger Trigger) error {
	if (trigger.AfterCreate == nil) == (trigger.BeforeExpiry == nil) {
		return refusal.New("The trigger of %s must have either timeAfterCreate or timeBeforeExpiry.", action)
	}
	at, life := trigger.BeforeExpiry, p.Attributes.ExpiryTime
	switch {
	case at != nil:
	case action == Notify:
		return refusal.New("The trigger of Notify must have timeBeforeExpiry.")
	default:
		at = trigger.AfterCreate
	}
	switch {
	case at.nominal() < margin:
		return refusal.New("The trigger of %s is %s: it must be at least 7 days.", action, at)
	case action == Rotate && trigger.BeforeExpiry != nil && life == nil:
		return refusal.New("The trigger timeBeforeExpiry of Rotate requires an expiryTime.")
	case action == Rotate && life != nil && at.nominal() > life.nominal()-margin:
		return refusal.New("The trigger of %s is %s: it must be at least 7 days shorter than the expiryTime, which is %s.", action, at, life)
	}
	return nil
}

// Expiry returns when a version expires that is made at a time, if the policy says so.
func (p *Policy) Expiry(created time.Time) (time.Time, bool) {
	if p.Attributes.ExpiryTime == nil {
		return time.Time{}, false
	}
	return p.Attributes.ExpiryTime.After(created), true
}

// Due returns when an action is due for the current version, if ever. A version that does not expire (nil) is never about to.
func (p *Policy) Due(action Action, created time.Time, expires *time.Time) (time.Time, bool) {
	trigger := p.find(action)
	switch {
	case trigger == nil:
		return time.Time{}, false
	case trigger.AfterCreate != nil:
		return trigger.AfterCreate.After(created), true
	case expires != nil:
		return trigger.BeforeExpiry.Before(*expires), true
	}
	return time.Time{}, false
}

// find returns the trigger of an action, or nil.
func (p *Policy) find(action Action) *Trigger {
	for i := range p.Actions {
		if p.Actions[i].Action.Type == action {
			return &p.Actions[i].Trigger
		}
	}
	return nil
}
