// Package capability lets the webhook answer the API server alone. An API server shows a webhook no certificate unless its
// administrator has set flags for that, but it calls the path that the webhook's configuration names, and only
// administrators read those. So the path begins with a secret.
//
// The secret is renewed all the time, because it is betrayed now and then: whose pod cannot be admitted because the
// webhook did not answer is told by the API server which address it called, path and all.
package capability

import (
	"crypto/rand"
	"crypto/subtle"
	"strings"
	"time"
)

// SecretKey is where a Set is kept in a Secret's data.
const SecretKey = "webhook-capabilities"

// Period is how long a capability is in use. It is good for a period before that and for one after.
const Period = 5 * time.Minute

// size is the number of characters of a capability, each of five random bits.
const size = 52

// Set are the capabilities that are good. The API server is told the current one. The next one is known to every
// replica long before its time comes, and the previous one is good until every API server has heard of the current one.
type Set struct {
	next, current, previous string

	// since is when the current one came to be used.
	since time.Time
}

// Parse reads a set as Encode writes it; anything else is the empty set, which admits nobody.
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

// Encode writes the set down.
func (s Set) Encode() []byte {
	return []byte(strings.Join([]string{s.next, s.current, s.previous, s.since.UTC().Format(time.RFC3339)}, " "))
}

// IsEmpty reports whether there are no capabilities.
func (s Set) IsEmpty() bool { return s.current == "" }

// Due is how long the current capability is in use yet; nothing where it is time for the next one.
func (s Set) Due(now time.Time) time.Duration {
	if s.IsEmpty() {
		return 0
	}
	return max(0, min(Period, s.since.Add(Period).Sub(now)))
}

// Renew is the set of the period that begins now. That of an empty set is wholly new.
func (s Set) Renew(now time.Time) Set {
	if s.IsEmpty() {
		return Set{generate(), generate(), generate(), now}
	}
	return Set{generate(), s.next, s.current, now}
}

// Path is the path at which the API server is to call a webhook.
func (s Set) Path(webhook string) string { return "/" + s.current + Route(webhook) }

// Admits reports whether a capability is good. It takes the same time for all that are of the right length.
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

// AdmitsPath reports whether a path begins with a capability that is good.
func (s Set) AdmitsPath(path string) bool {
	capability, _ := split(path)
	return s.Admits(capability)
}

// split parts the capability from the path behind it.
func split(path string) (capability, rest string) {
	capability, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return capability, "/" + rest
}

// Route is the path of a webhook behind the capability: the first label of the name that its configuration gives it.
func Route(webhook string) string {
	label, _, _ := strings.Cut(webhook, ".")
	return "/" + label
}

// generate makes a capability in lower case, as the paths of webhooks are.
func generate() string {
	return strings.ToLower(rand.Text() + rand.Text())
}
