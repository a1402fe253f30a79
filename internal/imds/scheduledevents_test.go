package imds

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sampleID is the event's ID in imds-contract.md section 6.
const sampleID = "C7061BAC-AFDC-4513-B24B-AA5F13A16123"

// eventsFake is a source of events, all of which may start.
type eventsFake struct {
	events  Events
	err     error
	started []string
}

func (f *eventsFake) Events(context.Context) (*Events, error) { return &f.events, f.err }

func (f *eventsFake) StartEvents(_ context.Context, ids []string) error {
	f.started = append(f.started, ids...)
	return f.err
}

func (f *eventsFake) handler() *Handler { return NewHandler(Sources{Events: f}, time.Now) }

func sampleEvent(kind string, started bool) Event {
	return Event{
		ID: sampleID, Type: kind, Resource: "orders-0", Started: started, Description: "<why>", Source: "Platform",
		NotBefore: time.Date(2016, 9, 19, 20, 29, 47, 0, time.FixedZone("", 2*60*60)),
	}
}

func TestScheduledEvents(t *testing.T) {
	t.Parallel()
	const (
		none      = `{"DocumentIncarnation":2,"Events":[]}`
		start     = `{"DocumentIncarnation":2,"Events":[{"EventId":"` + sampleID + `","EventStatus":"Scheduled","EventType":`
		resources = `,"ResourceType":"VirtualMachine","Resources":["orders-0"],"NotBefore":"Mon, 19 Sep 2016 18:29:47 GMT"`
		end       = `}]}`

		description = `,"Description":"<why>"`
		source      = `,"EventSource":"Platform"`
		duration    = `,"DurationInSeconds":-1`
	)
	for name, test := range map[string]struct {
		version string
		events  []Event
		want    string
	}{
		"none":                   {"2020-07-01", nil, none},
		"all fields":             {"2020-07-01", []Event{sampleEvent("Redeploy", false)}, start + `"Redeploy"` + resources + description + source + duration + end},
		"without a duration":     {"2019-08-01", []Event{sampleEvent("Redeploy", false)}, start + `"Redeploy"` + resources + description + source + end},
		"without a source":       {"2019-04-01", []Event{sampleEvent("Redeploy", false)}, start + `"Redeploy"` + resources + description + end},
		"without a description":  {"2019-01-01", []Event{sampleEvent("Terminate", false)}, start + `"Terminate"` + resources + end},
		"without Terminate":      {"2017-11-01", []Event{sampleEvent("Terminate", false)}, none},
		"with Preempt":           {"2017-11-01", []Event{sampleEvent("Preempt", false)}, start + `"Preempt"` + resources + end},
		"without Preempt":        {"2017-08-01", []Event{sampleEvent("Preempt", false)}, none},
		"the first version":      {"2017-08-01", []Event{sampleEvent("Redeploy", false)}, start + `"Redeploy"` + resources + end},
		"started":                {"2017-08-01", []Event{sampleEvent("Redeploy", true)}, `{"DocumentIncarnation":2,"Events":[{"EventId":"` + sampleID + `","EventStatus":"Started","EventType":"Redeploy","ResourceType":"VirtualMachine","Resources":["orders-0"],"NotBefore":""}]}`},
		"one of another version": {"2017-08-01", []Event{sampleEvent("Terminate", false), sampleEvent("Redeploy", false)}, start + `"Redeploy"` + resources + end},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := &eventsFake{events: Events{Incarnation: 2, Events: test.events}}
			get(t, source.handler(), eventsPath+"?api-version="+test.version).want(t, http.StatusOK, test.want)
		})
	}
}

func TestEventsWhileTheirSourceIsAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		body string
	}{
		"unavailable":     {Unavailable("later"), `{ "error": "later" }`},
		"another failure": {errors.New("secret"), `{ "error": "The token or metadata could not be obtained, try again later" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(t, (&eventsFake{err: test.err}).handler(), eventsPath+"?api-version=2020-07-01")
			got.want(t, http.StatusServiceUnavailable, test.body)
		})
	}
}

// post sends a body with a content type.
func post(t *testing.T, handler http.Handler, contentType, body string) answer {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, eventsPath+"?api-version=2019-01-01", strings.NewReader(body))
	request.Header.Set("Metadata", "true")
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

func TestStartEvents(t *testing.T) {
	t.Parallel()
	const (
		one       = `{"StartRequests":[{"EventId":"a"}]}`
		malformed = `{ "error": "Bad request. The body is not {\"StartRequests\":[{\"EventId\":\"…\"}]}" }`
	)
	for name, test := range map[string]struct {
		contentType, body string
		err               error
		status            int
		answer            string
		started           []string
	}{
		"one":                 {"application/json", one, nil, 200, "{}", []string{"a"}},
		"curl's content type": {"application/x-www-form-urlencoded", one, nil, 200, "{}", []string{"a"}},
		"without a type":      {"", " " + one + "\n", nil, 200, "{}", []string{"a"}},
		"two, and more":       {"", `{"DocumentIncarnation":5,"StartRequests":[{"EventId":"a","x":1},{"EventId":"b"}]}`, nil, 200, "{}", []string{"a", "b"}},
		"longest body":        {"", one + strings.Repeat(" ", 16384-len(one)), nil, 200, "{}", []string{"a"}},
		"too long":            {"", one + strings.Repeat(" ", 16384-len(one)+1), nil, 400, `{ "error": "Bad request. The body is too long" }`, nil},
		"none":                {"", `{"StartRequests":[]}`, nil, 400, malformed, nil},
		"null":                {"", `null`, nil, 400, malformed, nil},
		"empty body":          {"", ``, nil, 400, malformed, nil},
		"not an object":       {"", `["a"]`, nil, 400, malformed, nil},
		"two objects":         {"", one + one, nil, 400, malformed, nil},
		"no ID":               {"", `{"StartRequests":[{"EventId":"a"},{}]}`, nil, 400, malformed, nil},
		"ID is not a string":  {"", `{"StartRequests":[{"EventId":1}]}`, nil, 400, malformed, nil},
		"unknown event":       {"", one, ErrNoSuchEvent, 400, `{ "error": "Bad request. There is no event with an EventId of the request" }`, []string{"a"}},
		"unavailable":         {"", one, Unavailable("later"), 503, `{ "error": "later" }`, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := &eventsFake{err: test.err}
			post(t, source.handler(), test.contentType, test.body).want(t, test.status, test.answer)
			if diff := cmp.Diff(test.started, source.started); diff != "" {
				t.Errorf("started events (-want +got):\n%s", diff)
			}
		})
	}
}

// Only the incarnation and the duration are numbers.
func TestScheduledEventsTypes(t *testing.T) {
	t.Parallel()
	source := &eventsFake{events: Events{Incarnation: 1 << 40, Events: []Event{sampleEvent("Redeploy", false)}}}
	var document struct {
		DocumentIncarnation int64
		Events              []map[string]any
	}
	if err := json.Unmarshal([]byte(get(t, source.handler(), eventsPath+"?api-version=2020-07-01").body), &document); err != nil {
		t.Fatal(err)
	}
	if document.DocumentIncarnation != 1<<40 {
		t.Errorf("incarnation = %d", document.DocumentIncarnation)
	}
	for name, value := range document.Events[0] {
		_, isText := value.(string)
		if isText == slices.Contains([]string{"DurationInSeconds", "Resources"}, name) {
			t.Errorf("%s = %v", name, value)
		}
	}
}
