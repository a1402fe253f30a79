package imds

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxStartBytes bounds the body that lets events begin. That of one event has 70 bytes.
const maxStartBytes = 16 << 10

// What is wrong with the body of a POST.
var (
	errStartTooLong   = invalid("Bad request. The body is too long")
	errStartMalformed = invalid("Bad request. The body is not {\"StartRequests\":[{\"EventId\":\"…\"}]}")
)

// parseStartRequests reads which events may begin. Its content type is what the client makes it: curl, which Microsoft's
// samples use, says that it sends a form.
func parseStartRequests(body io.Reader) (ids []string, refusal *Error) {
	content, err := io.ReadAll(body)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, errStartTooLong
	}
	if err != nil {
		return nil, errStartMalformed
	}
	var request struct {
		StartRequests []struct {
			EventID string `json:"EventId"`
		}
	}
	if json.Unmarshal(content, &request) != nil || len(request.StartRequests) == 0 {
		return nil, errStartMalformed
	}
	for _, start := range request.StartRequests {
		if start.EventID == "" {
			return nil, errStartMalformed
		}
		ids = append(ids, start.EventID)
	}
	return ids, nil
}
