package imds

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"
)

// EventSource returns and starts scheduled events. Its errors are handled like TokenSource's.
type EventSource interface {
	// Events returns all events that are scheduled or started.
	Events(ctx context.Context) (*Events, error)

	// StartEvents approves the events with these IDs: all of them, or none and ErrNoSuchEvent if one does not exist.
	// Approving a started event again is not an error.
	StartEvents(ctx context.Context, ids []string) error
}

// ErrNoSuchEvent is the error for an unknown event ID.
var ErrNoSuchEvent error = invalid("Bad request. There is no event with an EventId of the request")

// Events is the state of scheduled events (imds-contract.md section 6).
type Events struct {
	// Incarnation increases with each change of the events and never decreases.
	Incarnation int64

	Events []Event
}

// Event is a scheduled event.
type Event struct {
	// ID is an upper-case GUID.
	ID string

	// Type is one of IMDS's event types, such as Redeploy.
	Type string

	// Resource is the machine's name.
	Resource string

	// NotBefore is the earliest start. It is meaningless once Started.
	NotBefore time.Time

	Started bool

	Description string

	// Source is Platform or User.
	Source string
}

// eventsEndpoint serves GET and POST /metadata/scheduledevents.
type eventsEndpoint struct {
	source EventSource
}

func (e *eventsEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	version := q["api-version"]
	if refusal := checkEventsVersion(version); refusal != nil {
		return refusal
	}
	if r.Method == http.MethodPost {
		return e.start(w, r)
	}
	events, err := e.source.Events(r.Context())
	if err != nil {
		return fromSource(err)
	}
	write(w, http.StatusOK, contentJSON, encode(eventsDocument(events, version)))
	return nil
}

func (e *eventsEndpoint) start(w http.ResponseWriter, r *http.Request) *Error {
	ids, refusal := parseStartRequests(http.MaxBytesReader(w, r.Body, maxStartBytes))
	if refusal != nil {
		return refusal
	}
	if err := e.source.StartEvents(r.Context(), ids); err != nil {
		return fromSource(err)
	}
	// Azure's body is not documented. An empty object satisfies clients that parse it.
	write(w, http.StatusOK, contentJSON, encode(object{}))
	return nil
}

// Scheduled events have their own versions (imds-contract.md section 6).
const (
	eventsSince        = "2017-08-01"
	eventsPreempt      = "2017-11-01"
	eventsTerminate    = "2019-01-01"
	eventsDescription  = "2019-04-01"
	eventsSource       = "2019-08-01"
	eventsWithDuration = "2020-07-01"
)

var eventsVersions = []string{eventsSince, eventsPreempt, eventsTerminate, eventsDescription, eventsSource, eventsWithDuration}

// checkEventsVersion rejects unknown versions of scheduled events and lists the newest ones.
func checkEventsVersion(version string) *Error {
	if slices.Contains(eventsVersions, version) {
		return nil
	}
	refusal := *errVersion
	refusal.newestVersions = []string{eventsWithDuration, eventsSource, eventsDescription}
	return &refusal
}

// eventTypesSince are the first versions with types that version eventsSince lacks.
var eventTypesSince = map[string]string{"Preempt": eventsPreempt, "Terminate": eventsTerminate}

// unknownDuration is the DurationInSeconds of an event without a known end.
const unknownDuration = -1

// eventElement is an event as JSON, in IMDS's order. Nil members are omitted.
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

// eventsDocument returns the document of events in a version of the API, without events of types that the version lacks.
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

// maxStartBytes bounds the body of a POST. That of one event has 70 bytes.
const maxStartBytes = 16 << 10

// Errors of the body of a POST.
var (
	errStartTooLong   = invalid("Bad request. The body is too long")
	errStartMalformed = invalid("Bad request. The body is not {\"StartRequests\":[{\"EventId\":\"…\"}]}")
)

// parseStartRequests returns the IDs of a POST's body. It ignores the content type: curl, which Microsoft's samples use, sends
// a form's.
func parseStartRequests(body io.Reader) (ids []string, refusal *Error) {
	content, err := io.ReadAll(body)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, errStartTooLong
	}
	if err != nil {
		return nil, errStartMalformed
	}
	var request struct {
		StartRequests []struct {
			EventID string `json:"EventId"`
		}
	}
	if json.Unmarshal(content, &request) != nil || len(request.StartRequests) == 0 {
		return nil, errStartMalformed
	}
	for _, start := range request.StartRequests {
		if start.EventID == "" {
			return nil, errStartMalformed
		}
		ids = append(ids, start.EventID)
	}
	return ids, nil
}
