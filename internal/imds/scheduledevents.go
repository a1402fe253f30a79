package imds

import (
	"context"
	"net/http"
	"time"
)

// EventSource tells what is to become of the machine. Its errors are read as those of TokenSource.
type EventSource interface {
	// Events are all that are ahead or under way.
	Events(ctx context.Context) (*Events, error)

	// StartEvents lets the events with these IDs begin: all, or none and ErrNoSuchEvent where one does not exist. An
	// event that has begun is let begin again.
	StartEvents(ctx context.Context, ids []string) error
}

// ErrNoSuchEvent refuses an ID that no event has.
var ErrNoSuchEvent error = invalid("Bad request. There is no event with an EventId of the request")

// Events are scheduled events (imds-contract.md section 6).
type Events struct {
	// Incarnation rises with each change of the events, and never falls.
	Incarnation int64

	Events []Event
}

// Event is a scheduled event.
type Event struct {
	// ID is a GUID in upper case.
	ID string

	// Type is one of IMDS's, as in Redeploy.
	Type string

	// Resource is the machine's name.
	Resource string

	// NotBefore is when the event may begin. It means nothing once the event has begun.
	NotBefore time.Time

	Started bool

	Description string

	// Source is Platform or User.
	Source string
}

// eventsEndpoint answers GET and POST /metadata/scheduledevents.
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
	// What Azure's body is, nobody tells. This one satisfies those who parse it.
	write(w, http.StatusOK, contentJSON, encode(object{}))
	return nil
}
