package imds

import "net/http"

// serveVersions answers GET /metadata/versions, which is of no version itself (imds-contract.md section 2).
func serveVersions(w http.ResponseWriter, _ *http.Request, _, rawQuery string) *Error {
	if _, refusal := parseQuery(rawQuery); refusal != nil {
		return refusal
	}
	write(w, http.StatusOK, contentJSON, encode(map[string][]string{"apiVersions": knownVersions}))
	return nil
}

// serveRoot answers GET /metadata, where there is nothing but a version to be wrong about: some clients learn the
// newest versions there.
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
