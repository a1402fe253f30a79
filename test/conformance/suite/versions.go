package suite

import (
	"fmt"
	"slices"
	"strings"
)

// knownVersions are IMDS's versions, oldest first.
var knownVersions = []string{
	"2017-03-01", "2017-04-02", "2017-08-01", "2017-10-01", "2017-12-01",
	"2018-02-01", "2018-04-02", "2018-10-01",
	"2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04", "2019-08-01", "2019-08-15", "2019-11-01",
	"2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01", "2020-12-01",
	"2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01", "2021-10-01", "2021-11-01", "2021-11-15", "2021-12-13",
	"2023-07-01", "2023-11-15",
	"2024-03-15", "2024-07-17",
	"2025-04-07",
}

// versionsCases returns the cases about the list of versions, which needs no version.
func versionsCases() []Case {
	return []Case{
		ask("versions/list", get(versionsPath), success(object("", "apiVersions"), allStrings)),
		ask("versions/all", get(versionsPath), listsAll),
		ask("versions/ascending", get(versionsPath), ascending),
		ask("versions/with-a-version", get(versionsPath+"?api-version=2021-02-01"), success(array("apiVersions"))).ourChoice(),
		ask("versions/with-an-unknown-version", get(versionsPath+"?api-version="+unknownVersion), success(array("apiVersions"))).ourChoice(),
		ask("versions/format-text", get(versionsPath+"?format=text"), success(array("apiVersions"))).ourChoice(),
		ask("versions/below", get(versionsPath+"/0"), refused(404)).ourChoice(),
		ask("versions/newest-is-answered", inTurn(get(versionsPath), get(instancePath+"?api-version=2025-04-07")), success(has("compute", "network"))),
	}
}

var listsAll = ofDocument("every version that Azure has published", func(document *node, _ *knowledge) error {
	listed := document.find("apiVersions")
	if listed == nil {
		return fmt.Errorf("no list")
	}
	for _, version := range knownVersions {
		if !slices.ContainsFunc(listed.elements, func(n *node) bool { return n.text == version }) {
			return fmt.Errorf("missing %s", version)
		}
	}
	return nil
})

var ascending = ofDocument("the oldest first", func(document *node, _ *knowledge) error {
	listed := document.find("apiVersions")
	if listed == nil || !slices.IsSortedFunc(listed.elements, func(a, b *node) int { return strings.Compare(a.text, b.text) }) {
		return fmt.Errorf("not in order")
	}
	return nil
})
