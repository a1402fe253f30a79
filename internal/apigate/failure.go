package apigate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/kube-imds/kube-imds/internal/resource/bearer"
)

// Failure is an answer of the gate's own, in the error shape of Azure's resources.
type Failure struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// write answers with the failure.
func (f *Failure) write(writer http.ResponseWriter) error {
	header := writer.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("x-ms-error-code", f.Code)
	writer.WriteHeader(f.Status)
	return json.NewEncoder(writer).Encode(map[string]*Failure{"error": f})
}

func badRequest(code, format string, values ...any) *Failure {
	return &Failure{http.StatusBadRequest, code, fmt.Sprintf(format, values...)}
}

// The failures that say nothing of the request.
var (
	errPath = badRequest("InvalidUri", "The path is not accepted: it must be in its plain form, without empty or dot segments, encoded slashes, "+
		"backslashes, semicolons and control characters, and not be encoded twice.")
	errQuery     = badRequest("InvalidQueryParameter", "The query is not well-formed, or too long.")
	errAmbiguous = badRequest("AmbiguousUri", "The path could mean several operations of this API.")

	errNoOperation = &Failure{http.StatusNotFound, "ResourceNotFound", "This API has no such path."}
	errMethod      = &Failure{http.StatusMethodNotAllowed, "MethodNotAllowed", "This API has no such operation at the path; the header Allow has those that it has."}

	errBackend = &Failure{http.StatusBadGateway, "BadGateway", "The service behind the gate does not answer."}
	errCluster = &Failure{http.StatusServiceUnavailable, "ServiceUnavailable", "The gate cannot find out who may do what. Please retry the request."}
)

// unauthorized returns the failure of a token that is not accepted, with Azure Resource Manager's codes.
func unauthorized(reason bearer.Reason, audiences []string) *Failure {
	failed := &Failure{http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is not accepted."}
	switch reason {
	case bearer.Missing:
		failed.Code, failed.Message = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing, or has no bearer token."
	case bearer.Expired:
		failed.Code, failed.Message = "ExpiredAuthenticationToken", "The access token has expired."
	case bearer.NotYetValid:
		failed.Message = "The access token is not valid yet."
	case bearer.WrongAudience:
		failed.Code = "InvalidAuthenticationTokenAudience"
		failed.Message = "The access token is for another audience than this API: " + strings.Join(audiences, ", ") + "."
	case bearer.WrongIssuer:
		failed.Code, failed.Message = "InvalidAuthenticationTokenTenant", "The access token is from another issuer than this API's."
	case bearer.UnknownKey, bearer.BadSignature:
		failed.Message = "The signature of the access token is not valid."
	case bearer.Malformed:
		failed.Message = "The access token is malformed."
	case bearer.NoPrincipal:
		failed.Message = "The access token names no principal."
	}
	return failed
}

// maxCut bounds what an answer or a log repeats of a request.
const maxCut = 128

func cut(text string) string {
	if len(text) <= maxCut {
		return strings.ToValidUTF8(text, "?")
	}
	for end := maxCut; ; end-- {
		if utf8.RuneStart(text[end]) {
			return strings.ToValidUTF8(text[:end], "?")
		}
	}
}
