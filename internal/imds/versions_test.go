package imds

import (
	"net/http"
	"slices"
	"testing"
)

func TestVersions(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	get(t, handler, versionsPath).want(t, http.StatusOK, `{"apiVersions":["2017-03-01","2017-04-02","2017-08-01","2017-10-01","2017-12-01",`+
		`"2018-02-01","2018-04-02","2018-10-01","2019-02-01","2019-03-11","2019-04-30","2019-06-01","2019-06-04","2019-08-01","2019-08-15","2019-11-01",`+
		`"2020-06-01","2020-07-15","2020-09-01","2020-10-01","2020-12-01","2021-01-01","2021-02-01","2021-03-01","2021-05-01","2021-08-01","2021-10-01",`+
		`"2021-11-01","2021-11-15","2021-12-13","2023-07-01","2023-11-15","2024-03-15","2024-07-17","2025-04-07"]}`)
	get(t, handler, versionsPath+"/?api-version=none").want(t, http.StatusOK, get(t, handler, versionsPath).body)
	get(t, handler, versionsPath, "Metadata:").want(t, http.StatusBadRequest, noHeaderInstance)
	get(t, handler, versionsPath+"?a=1&a=2").want(t, http.StatusBadRequest, `{ "error": "Bad request. A query parameter was specified more than once" }`)
	if !slices.IsSorted(knownVersions) {
		t.Error("the versions are not in order, so none is found")
	}
}
