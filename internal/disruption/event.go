package disruption

import (
	"strings"
	"time"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
)

// Type is what happens to the pod.
type Type string

// The types. Azure also has Freeze and Reboot, which pods do not know: what interrupts a pod ends it.
const (
	// Redeploy means that the pod must leave its node, and that its controller creates another one elsewhere.
	Redeploy Type = "Redeploy"

	// Preempt means that the pod makes room for one of higher priority.
	Preempt Type = "Preempt"

	// Terminate means that the pod ends, and says nothing about another one.
	Terminate Type = "Terminate"
)

// Source is who caused the event.
type Source string

// The sources.
const (
	// Platform means the cluster.
	Platform Source = "Platform"

	// User means a person, or a controller that acts for one.
	User Source = "User"
)

// Event is a coming disruption of a pod.
type Event struct {
	// ID is an upper-case GUID. It stays the same while the event progresses, such as from a cordon to the eviction.
	ID string

	Type   Type
	Source Source

	// NotBefore is the earliest end of the pod. It may have passed.
	NotBefore time.Time

	Description string
}

// identify sets an event's ID, derived from its type and the time at which it began.
func identify(pod *corev1.Pod, event Event, began time.Time) *Event {
	// The API server gives every pod a GUID.
	space, _ := uuid.Parse(string(pod.UID))
	name := "event/" + string(event.Type) + "/" + began.UTC().Format(time.RFC3339)
	event.ID = strings.ToUpper(uuid.NewSHA1(space, []byte(name)).String())
	return &event
}
