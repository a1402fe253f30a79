package imds

import "net/http"

// infoEndpoint serves GET /metadata/identity/info (imds-contract.md section 4).
type infoEndpoint struct {
	source IdentitySource
}

func (e *infoEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	if _, refusal := q.version(identitySince); refusal != nil {
		return refusal
	}
	selector, refusal := parseSelector(q)
	if refusal != nil {
		return refusal
	}
	identity, err := e.source.Identity(r.Context(), selector)
	if err != nil {
		return fromSource(err)
	}
	write(w, http.StatusOK, contentJSON, encode(object{"tenantId": identity.TenantID}))
	return nil
}
