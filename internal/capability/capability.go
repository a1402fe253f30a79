// Package capability lets the webhook answer the API server only. An API server shows a webhook no client certificate
// unless its administrator has set flags for it, but it calls the path in the webhook's configuration, and only
// administrators can read that. So the path starts with a secret.
//
// The secret is renewed all the time because it leaks now and then: when the webhook does not answer, the API server tells
// the user who creates a pod which URL it called.
package capability

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"time"
)

// SecretKey is the key of a Set in a Secret's data.
const SecretKey = "webhook-capabilities"

// Period is how long a capability is in use. It is also valid for one period before and one after.
const Period = 5 * time.Minute

// size is the length of a capability in characters of five random bits.
const size = 52

// Set holds the valid capabilities. The API server gets the current one. Every replica knows the next one long before its
// time, and the previous one stays valid until every API server knows the current one.
type Set struct {
	next, current, previous string

	// since is when the current one came into use.
	since time.Time
}

// Parse parses the output of Encode. Anything else is the empty set, which admits no path.
func Parse(text []byte) Set {
	fields := strings.Fields(string(text))
	if len(fields) != 4 {
		return Set{}
	}
	for _, field := range fields[:3] {
		if len(field) != size {
			return Set{}
		}
	}
	since, err := time.Parse(time.RFC3339, fields[3])
	if err != nil {
		return Set{}
	}
	return Set{next: fields[0], current: fields[1], previous: fields[2], since: since}
}

// Encode returns the set as text.
func (s Set) Encode() []byte {
	return []byte(strings.Join([]string{s.next, s.current, s.previous, s.since.UTC().Format(time.RFC3339)}, " "))
}

// IsEmpty reports whether there are no capabilities.
func (s Set) IsEmpty() bool { return s.current == "" }

// Due returns how long the current capability stays in use; 0 if it is time for the next one.
func (s Set) Due(now time.Time) time.Duration {
	if s.IsEmpty() {
		return 0
	}
	return max(0, min(Period, s.since.Add(Period).Sub(now)))
}

// Renew returns the set of the period that starts now. The result for an empty set is completely new.
func (s Set) Renew(now time.Time) Set {
	if s.IsEmpty() {
		return Set{generate(), generate(), generate(), now}
	}
	return Set{generate(), s.next, s.current, now}
}

// Path returns the path at which the API server calls a webhook.
func (s Set) Path(webhook string) string { return "/" + s.current + Route(webhook) }

// Admits reports whether a capability is valid. It takes the same time for all of the right length.
func (s Set) Admits(capability string) bool {
	if s.IsEmpty() {
		return false
	}
	found := 0
	for _, good := range []string{s.next, s.current, s.previous} {
		found |= subtle.ConstantTimeCompare([]byte(good), []byte(capability))
	}
	return found == 1
}

// AdmitsPath reports whether a path starts with a valid capability.
func (s Set) AdmitsPath(path string) bool {
	capability, _ := split(path)
	return s.Admits(capability)
}

// split splits a path into the capability and the rest.
func split(path string) (capability, rest string) {
	capability, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return capability, "/" + rest
}

// Route returns the path of a webhook behind the capability: the first label of its name in the configuration.
func Route(webhook string) string {
	label, _, _ := strings.Cut(webhook, ".")
	return "/" + label
}

// generate returns a capability in lower case, as paths of webhooks must be.
func generate() string {
	return strings.ToLower(rand.Text() + rand.Text())
}
