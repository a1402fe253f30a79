package suite

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// eventsCases returns the cases about scheduled events. They never start an event: the only IDs that they send do not exist.
func eventsCases() []Case {
	const (
		start = eventsPath + "?api-version=2020-07-01"
		noID  = "00000000-0000-0000-0000-00000000DEAD"
	)
	in := func(version string) request { return get(eventsPath + "?api-version=" + version) }
	approving := func(body string) request { return post(start, body) }
	return []Case{
		ask("scheduledevents/document", get(events), success(object("", "DocumentIncarnation", "Events"), integer("DocumentIncarnation"), array("Events"))),
		ask("scheduledevents/incarnation", inTurn(get(events), get(events)), sameOrRising),
		ask("scheduledevents/below", get(eventsPath+"/Events?api-version=2020-07-01"), refused(404)).ourChoice(),

		ask("scheduledevents/version/2017-08-01", in("2017-08-01"), success(eachEvent(eventFields), eventTypes("Freeze Reboot Redeploy"))),
		ask("scheduledevents/version/2017-11-01", in("2017-11-01"), success(eachEvent(eventFields), eventTypes("Freeze Reboot Redeploy Preempt"))),
		ask("scheduledevents/version/2019-01-01", in("2019-01-01"), success(eachEvent(eventFields), eventTypes("Freeze Reboot Redeploy Preempt Terminate"))),
		ask("scheduledevents/version/2019-04-01", in("2019-04-01"), success(eachEvent(eventFields+" Description"))),
		ask("scheduledevents/version/2019-08-01", in("2019-08-01"), success(eachEvent(eventFields+" Description EventSource"))),
		ask("scheduledevents/version/2020-07-01", in("2020-07-01"), success(eachEvent(eventFields+" Description EventSource DurationInSeconds"))),
		ask("scheduledevents/version/of-instance", in("2021-02-01"), e(eventsPath).versionRefused()).ourChoice(),
		ask("scheduledevents/version/2018-02-01", in("2018-02-01"), e(eventsPath).versionRefused()).ourChoice(),

		ask("scheduledevents/event/EventId", get(events), someEvents, success(eachMatches("EventId", upperGUID))),
		ask("scheduledevents/event/EventStatus", get(events), someEvents, success(eachMatches("EventStatus", `^(Scheduled|Started)$`))),
		ask("scheduledevents/event/EventType", get(events), someEvents, success(eachMatches("EventType", `^(Freeze|Reboot|Redeploy|Preempt|Terminate)$`))),
		ask("scheduledevents/event/EventSource", get(events), someEvents, success(eachMatches("EventSource", `^(Platform|User)$`))),
		ask("scheduledevents/event/ResourceType", get(events), someEvents, success(eachMatches("ResourceType", `^VirtualMachine$`))),
		ask("scheduledevents/event/Resources", get(events), someEvents, success(namesResources)),
		ask("scheduledevents/event/NotBefore", get(events), someEvents, success(eachMatches("NotBefore", `^$|^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT$`))),
		ask("scheduledevents/event/NotBefore/started", get(events), someEvents, success(startedHasNoTime)),
		ask("scheduledevents/event/Duration", get(events), someEvents, success(wholeDurations)),
		ask("scheduledevents/event/kept-id", inTurn(get(events), get(events)), someEvents, sameBody),

		ask("scheduledevents/start/empty", approving(""), inOurWords(400, refused(400))),
		ask("scheduledevents/start/no-json", approving("StartRequests=1"), inOurWords(400, refused(400))),
		ask("scheduledevents/start/half-json", approving(`{"StartRequests":[{"EventId":`), inOurWords(400, refused(400))),
		ask("scheduledevents/start/an-array", approving(`[]`), inOurWords(400, refused(400))),
		ask("scheduledevents/start/no-requests", approving(`{}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/empty-list", approving(`{"StartRequests":[]}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/no-id", approving(`{"StartRequests":[{}]}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/id-is-a-number", approving(`{"StartRequests":[{"EventId":1}]}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/unknown-event", approving(`{"StartRequests":[{"EventId":"`+noID+`"}]}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/json-content-type", using("POST", start).with("Content-Type: application/json").sending(`{"StartRequests":[{"EventId":"`+noID+`"}]}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/no-content-type", using("POST", start).sending(`{"StartRequests":`), inOurWords(400, refused(400))),
		ask("scheduledevents/start/too-long", approving(strings.Repeat(" ", 64<<10)+`{}`), refused(400)).ourChoice(),
		ask("scheduledevents/start/no-version", post(eventsPath, `{"StartRequests":[{"EventId":"`+noID+`"}]}`), e(eventsPath).versionRefused()).ourChoice(),
		ask("scheduledevents/start/no-header", using("POST", start).bare().sending(`{"StartRequests":[{"EventId":"`+noID+`"}]}`), noHeader),
		ask("scheduledevents/start/changes-nothing", inTurn(get(events), approving(`{}`), get(events)), nth(2, status(400)), nth(3, status(200))).ourChoice(),
	}
}

// e returns the endpoint of a path.
func e(path string) endpoint {
	i := slices.IndexFunc(endpoints, func(e endpoint) bool { return e.path() == path })
	return endpoints[i]
}

// eventFields are the fields of an event in the first version, in order.
const eventFields = "EventId EventStatus EventType ResourceType Resources NotBefore"

var someEvents = unless("the machine has no scheduled events", func(a answer) bool {
	document, err := a.document()
	return a.status == 200 && err == nil && len(document.eventNodes()) == 0
})

// eventNodes returns the events of a document.
func (n *node) eventNodes() []*node {
	list := n.find("Events")
	if list == nil {
		return nil
	}
	return list.elements
}

// ofEvents returns an expectation of every event.
func ofEvents(says string, check func(event *node) error) Expectation {
	return ofDocument("each event: "+says, func(document *node, _ *knowledge) error {
		for _, event := range document.eventNodes() {
			if err := check(event); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachEvent expects every event to have exactly these fields in this order.
func eachEvent(fields string) Expectation {
	return ofEvents("{"+fields+"} in this order", func(event *node) error {
		if !slices.Equal(event.names, strings.Fields(fields)) {
			return fmt.Errorf("got members %q", event.names)
		}
		return nil
	})
}

func eventTypes(types string) Expectation {
	return ofEvents("of a type among "+types, func(event *node) error {
		if found := event.find("EventType"); found == nil || !slices.Contains(strings.Fields(types), found.text) {
			return fmt.Errorf("unexpected %s", shown(found))
		}
		return nil
	})
}

func eachMatches(name, pattern string) Expectation {
	expression := regexp.MustCompile(pattern)
	return ofEvents(name+" as "+pattern, func(event *node) error {
		if found := event.find(name); found == nil || found.kind != '"' || !expression.MatchString(found.text) {
			return fmt.Errorf("got %s", shown(found))
		}
		return nil
	})
}

var namesResources = ofEvents("the names of resources, at least one", func(event *node) error {
	list := event.find("Resources")
	if list == nil || list.kind != '[' || len(list.elements) == 0 {
		return fmt.Errorf("got %s", shown(list))
	}
	for _, name := range list.elements {
		if name.kind != '"' || name.text == "" {
			return fmt.Errorf("unexpected %s", shown(name))
		}
	}
	return nil
})

var startedHasNoTime = ofEvents("NotBefore is empty once it has started", func(event *node) error {
	state, begin := event.find("EventStatus"), event.find("NotBefore")
	if state == nil || begin == nil || (state.text == "Started") != (begin.text == "") {
		return fmt.Errorf("NotBefore is %s where EventStatus is %s", shown(begin), shown(state))
	}
	return nil
})

var wholeDurations = ofEvents("DurationInSeconds an integer, not below -1", func(event *node) error {
	found := event.find("DurationInSeconds")
	if found == nil || found.kind != '0' || !regexp.MustCompile(`^(-1|[0-9]+)$`).MatchString(found.text) {
		return fmt.Errorf("got %s", shown(found))
	}
	return nil
})

// sameOrRising expects incarnations that never decrease, and that stay the same while the events do.
var sameOrRising = Expectation{says: "an incarnation that rises with each change alone", check: func(s *seen) error {
	var known int64
	for i, answer := range s.answers {
		document, err := answer.document()
		if err != nil {
			return err
		}
		incarnation := number(document, "DocumentIncarnation")
		if incarnation < known {
			return fmt.Errorf("falls from %d to %d", known, incarnation)
		}
		if i > 0 && incarnation == known && answer.body != s.answers[i-1].body {
			return fmt.Errorf("the events changed, the incarnation did not")
		}
		known = incarnation
	}
	return nil
}}
