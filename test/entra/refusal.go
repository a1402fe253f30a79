package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal is an AADSTS error.
type refusal struct {
	code        int
	description string

	// suberror and claims are members of the answer if they are not empty.
	suberror, claims string
}

func refuse(code int, format string, arguments ...any) *refusal {
	return &refusal{code: code, description: fmt.Sprintf(format, arguments...)}
}

// kind is an error's name in OAuth and its HTTP status.
type kind struct {
	name   string
	status int
}

var (
	badClient    = kind{"invalid_client", http.StatusUnauthorized}
	badRequest   = kind{"invalid_request", http.StatusBadRequest}
	badScope     = kind{"invalid_scope", http.StatusBadRequest}
	badGrant     = kind{"invalid_grant", http.StatusBadRequest}
	comeBack     = kind{"temporarily_unavailable", http.StatusServiceUnavailable}
	tooMuch      = kind{"temporarily_unavailable", http.StatusTooManyRequests}
	otherwise    = badRequest
	invalidPlace = kind{"invalid_instance", http.StatusBadRequest}
)

// kinds are the errors of tokens.md section 3, and a few that it does not have.
var kinds = map[int]kind{
	700211: badClient, 700212: badClient, 700213: badClient, 7002138: badClient, 70021: badClient, 70025: badClient,
	7000272: badClient, 700024: badClient, 700027: badClient, 700222: badClient, 700226: badClient, 700229: badClient,
	7000215: badClient, 7000216: badClient, 7000218: badClient,
	90061: badRequest, 50166: badRequest, 501661: badRequest, 50027: badRequest, 5002738: badRequest, 900384: badRequest,
	90002: badRequest, 900144: badRequest, 9002313: badRequest, 100007: badRequest,
	700016: {"unauthorized_client", http.StatusBadRequest},
	500011: {"invalid_resource", http.StatusBadRequest},
	70003:  {"unsupported_grant_type", http.StatusBadRequest},
	70011:  badScope, 700022: badScope,
	50196: badGrant, 53003: badGrant,
	90033: comeBack, 90024: comeBack, 90006: comeBack, 50033: comeBack, 90055: tooMuch,
	50049: invalidPlace,
}

func kindOf(code int) kind {
	if known, found := kinds[code]; found {
		return known
	}
	return otherwise
}

// errorBody is an error as Entra writes it.
type errorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
	Suberror      string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

func (r *refusal) answer(asked *ask) answer {
	is := kindOf(r.code)
	return answer{status: is.status, code: r.code, body: r.body(is.name, asked)}
}

func (r *refusal) body(name string, asked *ask) errorBody {
	at := asked.now.UTC().Format("2006-01-02 15:04:05Z")
	return errorBody{
		Error: name,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			r.code, r.description, asked.trace, asked.correlation, at),
		Codes: []int{r.code}, Timestamp: at, TraceID: asked.trace, CorrelationID: asked.correlation,
		URI: fmt.Sprintf("https://%s/error?code=%d", asked.host, r.code), Suberror: r.suberror, Claims: r.claims,
	}
}

// answer is an answer to a request for a token.
type answer struct {
	status int

	// code is the AADSTS code, if it is one.
	code int

	retryAfter string

	// body is written as JSON, unless it is a string.
	body any
}

func (a answer) write(writer http.ResponseWriter, asked *ask) {
	header := writer.Header()
	header.Set("x-ms-request-id", asked.trace)
	header.Set("client-request-id", asked.correlation)
	header.Set("Cache-Control", "no-store, no-cache")
	header.Set("Pragma", "no-cache")
	if a.retryAfter != "" {
		header.Set("Retry-After", a.retryAfter)
	}
	if text, ok := a.body.(string); ok {
		header.Set("Content-Type", "text/html; charset=utf-8")
		writer.WriteHeader(a.status)
		_, _ = fmt.Fprint(writer, text)
		return
	}
	writeJSON(writer, a.status, a.body)
}

func writeJSON(writer http.ResponseWriter, status int, body any) {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(body)
}
