package storagegate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Failure is an answer in the error shape of a storage service.
type Failure struct {
	Status  int
	Code    string
	Message string

	// Detail says more about a token that is not accepted.
	Detail string

	// RetryAfter is in seconds, if not 0.
	RetryAfter int
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// write answers with the failure: in XML, and for tables in JSON.
func (f *Failure) write(writer http.ResponseWriter, service Service, requestID string, now time.Time) error {
	header := writer.Header()
	header.Set("x-ms-error-code", f.Code)
	if f.RetryAfter > 0 {
		header.Set("Retry-After", fmt.Sprint(f.RetryAfter))
	}
	message := fmt.Sprintf("%s\nRequestId:%s\nTime:%s", f.Message, requestID, now.UTC().Format("2006-01-02T15:04:05.0000000Z"))
	if service == Table {
		return f.writeJSON(writer, message)
	}
	header.Set("Content-Type", "application/xml")
	writer.WriteHeader(f.Status)
	if _, err := io.WriteString(writer, xml.Header); err != nil {
		return err
	}
	return xml.NewEncoder(writer).Encode(struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message innerXML
		Detail  string `xml:"AuthenticationErrorDetail,omitempty"`
	}{Code: f.Code, Message: textInXML(message), Detail: f.Detail})
}

// innerXML is what an element has in it.
type innerXML struct {
	Text string `xml:",innerxml"`
}

// unescaped are the characters that an element's text may have as they are.
var unescaped = strings.NewReplacer("&#xA;", "\n", "&#34;", `"`, "&#39;", "'")

// textInXML escapes a text no more than it must be, because the SDK for JavaScript does not read references to characters.
func textInXML(text string) innerXML {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a Builder does not fail
	return innerXML{unescaped.Replace(escaped.String())}
}

func (f *Failure) writeJSON(writer http.ResponseWriter, message string) error {
	type text struct {
		Lang  string `json:"lang"`
		Value string `json:"value"`
	}
	type odata struct {
		Code    string `json:"code"`
		Message text   `json:"message"`
	}
	writer.Header().Set("Content-Type", "application/json;odata=minimalmetadata;streaming=true;charset=utf-8")
	writer.WriteHeader(f.Status)
	return json.NewEncoder(writer).Encode(map[string]odata{"odata.error": {f.Code, text{"en-US", message}}})
}

func badRequest(code, format string, values ...any) *Failure {
	return &Failure{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, values...)}
}

// The failures that say nothing of the request.
var (
	errNoAccount = &Failure{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "The specified resource does not exist."}

	errNoCredential = &Failure{
		Status: http.StatusUnauthorized, Code: "NoAuthenticationInformation",
		Message: "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
	}

	errTwoCredentials = badRequest("InvalidAuthenticationInfo", "Authentication information is not given in the correct format. Check the value of Authorization header.")

	errSharedKey = &Failure{
		Status: http.StatusForbidden, Code: "KeyBasedAuthenticationNotPermitted",
		Message: "Key based authentication is not permitted on this storage account.",
	}

	errSignature = &Failure{
		Status: http.StatusForbidden, Code: "AuthenticationFailed",
		Message: "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
	}

	errNotAuthorized = &Failure{
		Status: http.StatusForbidden, Code: "AuthorizationPermissionMismatch",
		Message: "This request is not authorized to perform this operation using this permission.",
	}

	errPublicAccess = &Failure{
		Status: http.StatusConflict, Code: "PublicAccessNotPermitted", Message: "Public access is not permitted on this storage account.",
	}

	errCopySource = &Failure{
		Status: http.StatusForbidden, Code: "CannotVerifyCopySource",
		Message: "This request is not authorized to perform this operation: the source must be a blob of the same account that the caller may read.",
	}

	errUnavailable = &Failure{Status: http.StatusServiceUnavailable, Code: "ServerBusy", Message: "The server is currently unable to receive requests. Please retry your request.", RetryAfter: 2}
)
