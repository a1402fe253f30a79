// Package disruption tells which end a pod is coming to, as Azure's scheduled events tell it of a virtual machine. It
// decides from the pod and its node alone. docs/imds.md has the mapping with its reasons.
package disruption

import (
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
)

// Type is what becomes of the pod.
type Type string

// The types. Azure has Freeze and Reboot too, which pods do not know: what interrupts a pod ends it.
const (
	// Redeploy says that the pod has to leave its node; whoever made it makes another elsewhere.
	Redeploy Type = "Redeploy"

	// Preempt says that the pod makes room for one of higher priority.
	Preempt Type = "Preempt"

	// Terminate says that the pod ends, and nothing about another one.
	Terminate Type = "Terminate"
)

// Source is who began it.
type Source string

// The sources.
const (
	// Platform is the cluster.
	Platform Source = "Platform"

	// User is a person, or a controller that acts for one.
	User Source = "User"
)

// Event is the coming end of a pod.
type Event struct {
	// ID is a GUID in upper case. It stays while the event moves on, as from a cordon to the eviction that follows.
	ID string

	Type   Type
	Source Source

	// NotBefore is when the pod may end; it may have passed.
	NotBefore time.Time

	Description string
}

// identify gives a pod's event its ID: that of its type, and of when it began.
func identify(pod *corev1.Pod, event Event, began time.Time) *Event {
	// The API server gives every pod a GUID.
	space, _ := uuid.Parse(string(pod.UID))
	name := "event/" + string(event.Type) + "/" + began.UTC().Format(time.RFC3339)
	event.ID = strings.ToUpper(uuid.NewSHA1(space, []byte(name)).String())
	return &event
}
