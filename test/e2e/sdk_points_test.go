package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sdkPoint is a point of the list at the end of clients.md that a client shows by a request and its
// response.
type sdkPoint struct {
	number int
	what   string
	sent   func(sentRequest) bool
}

// sdkPoints maps clients to the points that they show. test/sdks lists the tests of all points.
var sdkPoints = map[string][]sdkPoint{
	"go": {
		{1, "a bare probe is answered 400", probed()},
		{29, "header names in any case are taken", askedFor("")},
	},
	"python": {
		{1, "a probe with a version and a resource is answered 400", probed("api-version", "resource")},
		{8, "resource_id names an identity", askedFor("resource_id")},
		{28, "a resource that is not escaped is taken", func(r sentRequest) bool { return askedFor("")(r) && strings.Contains(r.Target, "resource=https://") }},
	},
	"node": {
		{1, "a bare probe is answered 400", probed()},
		{28, "an escaped resource is taken", func(r sentRequest) bool {
			return askedFor("")(r) && strings.Contains(r.Target, "resource=https%3A%2F%2F")
		}},
	},
	"java": {
		{1, "a probe with a version is answered 400", probed("api-version")},
		{6, "mi_res_id names an identity", askedFor("mi_res_id")},
	},
	"rust": {
		{5, "api-version 2019-08-01 is taken", func(r sentRequest) bool { return askedFor("")(r) && r.query.Get("api-version") == "2019-08-01" }},
		{6, "msi_res_id names an identity", askedFor("msi_res_id")},
	},
	"azurecli": {
		{10, "no selector is the default identity", func(r sentRequest) bool { return askedFor("")(r) && len(r.query) == 2 }},
		{30, "a resource may end in a slash", func(r sentRequest) bool {
			return askedFor("")(r) && r.query.Get("resource") == "https://management.core.windows.net/"
		}},
	},
	"dotnet-mcp": {
		{3, "a probe with a version is answered 400", probed("api-version")},
		{3, "a probe with an identity is answered 400", probed("api-version", "client_id")},
		{28, "a resource that is not escaped is taken", func(r sentRequest) bool { return askedFor("")(r) && strings.Contains(r.Target, "resource=https://") }},
	},
}

// askedFor matches a successful token request that has a parameter, unless its name is empty.
func askedFor(parameter string) func(sentRequest) bool {
	return func(r sentRequest) bool {
		return !r.isProbe() && r.Status == 200 && (parameter == "" || r.query.Has(parameter))
	}
}

// probed matches a probe that got 400 and whose query has these parameters.
func probed(names ...string) func(sentRequest) bool {
	return func(r sentRequest) bool {
		return r.isProbe() && r.Status == 400 && slices.Equal(names, distinct(slices.Clone(r.queryNamesInTurn)))
	}
}

// checkPoints checks the points that a client shows.
func checkPoints(t *testing.T, name string, run sdkRun) {
	t.Helper()
	for _, point := range sdkPoints[name] {
		shown := slices.ContainsFunc(run.Attempts, func(a sdkAttempt) bool { return slices.ContainsFunc(a.Sent, point.sent) })
		if !shown {
			t.Errorf("point %d: %s: no such request, or another response:\n%s", point.number, point.what, allSent(run))
		}
	}
}

func allSent(run sdkRun) string {
	var lines []string
	for _, attempt := range run.Attempts {
		for _, request := range attempt.Sent {
			lines = append(lines, fmt.Sprint(request))
		}
	}
	return strings.Join(lines, "\n")
}
