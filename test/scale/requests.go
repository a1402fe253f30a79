package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// requestLog is the API server's own record of the requests of the installation's parts: its audit log.
type requestLog struct {
	path string
	read int64
}

// auditPolicy records the requests of the installation's ServiceAccounts, and no others.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ["system:serviceaccounts:` + installation + `"]
  - level: None
`

// keep makes an API server write the log.
func (l *requestLog) keep(arguments *envtest.Arguments) error {
	policy := l.path + ".policy"
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return fmt.Errorf("write the audit policy: %w", err)
	}
	arguments.Set("audit-policy-file", policy).Set("audit-log-path", l.path)
	return nil
}

// request is a kind of request of a part.
type request struct{ part, verb, resource string }

// requests are how many there were of each kind.
type requests map[request]int

// event is what is read of an audit event.
type event struct {
	Stage, Verb, RequestURI string
	User                    struct{ Username string }
	ObjectRef               *struct{ Resource, Subresource string }
}

// next returns the requests since the last call: long ones when they begin, others when they end.
func (l *requestLog) next() (requests, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, fmt.Errorf("read the requests: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(l.read, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the requests: %w", err)
	}
	found := requests{}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			// What was not written wholly is read the next time.
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the requests: %w", err)
		}
		l.read += int64(len(line))
		var one event
		if err := json.Unmarshal(line, &one); err != nil {
			return nil, fmt.Errorf("parse a request: %w", err)
		}
		if one.counts() {
			found[one.request()]++
		}
	}
}

func (e event) counts() bool {
	if e.Verb == "watch" {
		return e.Stage == "ResponseStarted"
	}
	return e.Stage == "ResponseComplete"
}

func (e event) request() request {
	account := strings.TrimPrefix(e.User.Username, names.Username(""))
	resource := e.RequestURI
	if e.ObjectRef != nil {
		resource = e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			resource += "/" + e.ObjectRef.Subresource
		}
	}
	return request{account, e.Verb, resource}
}

// sum returns how many requests there are of a part; "" stands for all.
func (r requests) sum(part string) int {
	sum := 0
	for one, count := range r {
		if part == "" || one.part == part {
			sum += count
		}
	}
	return sum
}

// kinds returns the kinds of requests in several counts, in order.
func kinds(all ...requests) []request {
	found := map[request]bool{}
	for _, some := range all {
		for one := range some {
			found[one] = true
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b request) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.resource, b.resource), cmp.Compare(a.verb, b.verb))
	})
}
