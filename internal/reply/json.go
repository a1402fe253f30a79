package reply

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// JSON writes an answer. One that cannot be written has nobody to hear of it.
func JSON(writer http.ResponseWriter, status int, body any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("Cache-Control", "no-store")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(body)
}

// IsGone tells whether the one who asked has gone away.
func IsGone(err error) bool { return errors.Is(err, context.Canceled) }
