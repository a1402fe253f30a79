package imds

import (
	"net/http"
	"slices"
)

// The versions of scheduled events, which are its own (imds-contract.md section 6).
const (
	eventsSince        = "2017-08-01"
	eventsPreempt      = "2017-11-01"
	eventsTerminate    = "2019-01-01"
	eventsDescription  = "2019-04-01"
	eventsSource       = "2019-08-01"
	eventsWithDuration = "2020-07-01"
)

var eventsVersions = []string{eventsSince, eventsPreempt, eventsTerminate, eventsDescription, eventsSource, eventsWithDuration}

// checkEventsVersion refuses versions that scheduled events never had. The answer names the newest that they have.
func checkEventsVersion(version string) *Error {
	if slices.Contains(eventsVersions, version) {
		return nil
	}
	refusal := *errVersion
	refusal.newestVersions = []string{eventsWithDuration, eventsSource, eventsDescription}
	return &refusal
}

// eventTypesSince are the versions that first had types which the first one had not.
var eventTypesSince = map[string]string{"Preempt": eventsPreempt, "Terminate": eventsTerminate}

// unknownDuration is how long an event takes that has no known end.
const unknownDuration = -1

// eventElement is an event as JSON, in IMDS's order. What is nil is left out.
type eventElement struct {
	EventID           string   `json:"EventId"`
	EventStatus       string   `json:"EventStatus"`
	EventType         string   `json:"EventType"`
	ResourceType      string   `json:"ResourceType"`
	Resources         []string `json:"Resources"`
	NotBefore         string   `json:"NotBefore"`
	Description       *string  `json:"Description,omitempty"`
	EventSource       *string  `json:"EventSource,omitempty"`
	DurationInSeconds *int     `json:"DurationInSeconds,omitempty"`
}

// eventsDocument is the events as a version of the API tells of them. One of a type that the version does not know is
// left out.
func eventsDocument(events *Events, version string) any {
	elements := []eventElement{}
	for _, event := range events.Events {
		if eventTypesSince[event.Type] <= version {
			elements = append(elements, newEventElement(event, version))
		}
	}
	return struct {
		DocumentIncarnation int64          `json:"DocumentIncarnation"`
		Events              []eventElement `json:"Events"`
	}{events.Incarnation, elements}
}

func newEventElement(event Event, version string) eventElement {
	element := eventElement{
		EventID: event.ID, EventStatus: "Started", EventType: event.Type,
		ResourceType: "VirtualMachine", Resources: []string{event.Resource},
	}
	if !event.Started {
		element.EventStatus, element.NotBefore = "Scheduled", event.NotBefore.UTC().Format(http.TimeFormat)
	}
	if version >= eventsDescription {
		element.Description = &event.Description
	}
	if version >= eventsSource {
		element.EventSource = &event.Source
	}
	if version >= eventsWithDuration {
		element.DurationInSeconds = new(unknownDuration)
	}
	return element
}
