package imds

import (
	"net/http"
	"slices"
)

// knownVersions are the API versions that Azure has published, oldest first (imds-contract.md section 2).
var knownVersions = []string{
	"2017-03-01", "2017-04-02", "2017-08-01", "2017-10-01", "2017-12-01",
	"2018-02-01", "2018-04-02", "2018-10-01",
	"2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04", "2019-08-01", "2019-08-15", "2019-11-01",
	"2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01", "2020-12-01",
	"2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-08-01", "2021-10-01", "2021-11-01", "2021-11-15",
	"2021-12-13",
	"2023-07-01", "2023-11-15",
	"2024-03-15", "2024-07-17",
	"2025-04-07",
}

// newestVersions are listed when a version is refused, newest first.
var newestVersions = []string{"2025-04-07", "2024-07-17", "2024-03-15"}

// The versions in which endpoints first appeared (imds-contract.md section 1).
const (
	instanceSince     = "2017-03-01"
	identitySince     = "2018-02-01"
	attestedSince     = "2018-10-01"
	loadBalancerSince = "2020-10-01"
)

// checkVersion rejects unknown versions and those older than the endpoint. Versions are dates, so they compare as strings.
func checkVersion(version, since string) *Error {
	if _, known := slices.BinarySearch(knownVersions, version); !known || version < since {
		return errVersion
	}
	return nil
}

// serveVersions serves GET /metadata/versions, which needs no api-version (imds-contract.md section 2).
func serveVersions(w http.ResponseWriter, _ *http.Request, _, rawQuery string) *Error {
	if _, refusal := parseQuery(rawQuery); refusal != nil {
		return refusal
	}
	write(w, http.StatusOK, contentJSON, encode(map[string][]string{"apiVersions": knownVersions}))
	return nil
}

// serveRoot serves GET /metadata. Some clients ask it with a wrong version to learn the newest ones.
func serveRoot(_ http.ResponseWriter, _ *http.Request, _, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	if _, refusal := q.version(instanceSince); refusal != nil {
		return refusal
	}
	return errNotFound
}
