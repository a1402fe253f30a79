package tokenendpoint

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/reply"
)

// Token is what a successful answer has.
type Token struct {
	AccessToken       string
	NotBefore, Expiry time.Time
}

// answerV2 is a token in version 2.
type answerV2 struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	ExtExpiresIn int64  `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
}

// answerV1 is a token in version 1, in which numbers are strings.
type answerV1 struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    string `json:"expires_in"`
	ExtExpiresIn string `json:"ext_expires_in"`
	ExpiresOn    string `json:"expires_on"`
	NotBefore    string `json:"not_before"`
	Resource     string `json:"resource"`
	AccessToken  string `json:"access_token"`
}

// Answer returns the body of the answer to a request.
func (r *Request) Answer(token Token, now time.Time) any {
	life := int64(token.Expiry.Sub(now) / time.Second)
	if r.version == V2 {
		return answerV2{TokenType: "Bearer", ExpiresIn: life, ExtExpiresIn: life, AccessToken: token.AccessToken}
	}
	digits := func(number int64) string { return strconv.FormatInt(number, 10) }
	return answerV1{
		TokenType: "Bearer", ExpiresIn: digits(life), ExtExpiresIn: digits(life), ExpiresOn: digits(token.Expiry.Unix()),
		NotBefore: digits(token.NotBefore.Unix()), Resource: r.Resource, AccessToken: token.AccessToken,
	}
}

// errorBody is an error.
type errorBody struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri"`
}

// Call is one request, as far as every answer to it says.
type Call struct {
	Request *http.Request

	// TraceID identifies the request here.
	TraceID string

	Now time.Time
}

// Succeed writes the answer with a body that Answer returned.
func (c Call) Succeed(writer http.ResponseWriter, body any) {
	c.identify(writer.Header())
	reply.JSON(writer, http.StatusOK, body)
}

// Fail writes an error.
func (c Call) Fail(writer http.ResponseWriter, err error) {
	refused := refusalOf(err)
	c.fail(writer, refused, kinds[refused.Code])
}

func (c Call) fail(writer http.ResponseWriter, refused *Refusal, is kind) {
	correlation, at := c.identify(writer.Header()), c.Now.UTC().Format("2006-01-02 15:04:05Z")
	if refused.Temporary() {
		writer.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter/time.Second)))
	}
	reply.JSON(writer, is.status, errorBody{
		Error: is.name,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			refused.Code, refused.Description, c.TraceID, correlation, at),
		Codes: []int{refused.Code}, Timestamp: at, TraceID: c.TraceID, CorrelationID: correlation,
		URI: fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", refused.Code),
	})
}

// identify sets the headers of all answers, and returns the client's ID of the request, or a new one.
func (c Call) identify(header http.Header) (correlation string) {
	correlation = c.Request.Header.Get("client-request-id")
	if uuid.Validate(correlation) != nil {
		correlation = uuid.NewString()
	}
	header.Set("Pragma", "no-cache")
	header.Set("x-ms-request-id", c.TraceID)
	header.Set("client-request-id", correlation)
	return correlation
}
