// Package reply writes the answers of the issuer and the signer: JSON, with the HTTP status of a failure.
package reply

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// The values of headers, which all answers share.
var (
	isJSON      = []string{"application/json"}
	isNotStored = []string{"no-store"}
)

// JSON writes an answer with a body. It ignores errors: then there is no client left to tell.
func JSON(writer http.ResponseWriter, status int, body any) {
	header := writer.Header()
	header["Content-Type"], header["Cache-Control"] = isJSON, isNotStored
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(body)
}

// IsGone reports whether an error means that the client has gone.
func IsGone(err error) bool { return errors.Is(err, context.Canceled) }
