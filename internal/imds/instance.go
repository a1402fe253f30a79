package imds

import (
	"net/http"
)

// instanceEndpoint answers GET /metadata/instance and everything below (imds-contract.md section 3).
type instanceEndpoint struct {
	source InstanceSource
}

func (e *instanceEndpoint) serve(w http.ResponseWriter, r *http.Request, subpath, rawQuery string) *Error {
	q, refusal := parseQuery(rawQuery)
	if refusal != nil {
		return refusal
	}
	version, refusal := q.version(instanceSince)
	if refusal != nil {
		return refusal
	}
	format, refusal := parseFormat(q)
	if refusal != nil {
		return refusal
	}
	extended, refusal := q.flag("extended")
	if refusal != nil {
		return refusal
	}
	instance, err := e.source.Instance(r.Context())
	if err != nil {
		return fromSource(err)
	}
	document := instanceDocument(instance, version)
	if extended {
		extend(document, instance)
	}
	element, found := find(document, subpath)
	if !found {
		return errNotFound
	}
	return format(w, element)
}

// format writes an element of a document, or says why it cannot be written so.
type format func(w http.ResponseWriter, element any) *Error

func parseFormat(q query) (format, *Error) {
	switch q["format"] {
	case "", "json":
		return writeJSON, nil
	case "text":
		return writeText, nil
	}
	return nil, invalid("Bad request. The format is json or text")
}

func writeJSON(w http.ResponseWriter, element any) *Error {
	if _, leaf := element.(string); leaf {
		return invalid("Bad request. A single value is given with format=text only")
	}
	write(w, http.StatusOK, contentJSON, encode(element))
	return nil
}

func writeText(w http.ResponseWriter, element any) *Error {
	write(w, http.StatusOK, contentText, []byte(plain(element)))
	return nil
}
