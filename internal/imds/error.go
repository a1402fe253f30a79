package imds

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// Error is an answer that is not a success.
type Error struct {
	// Status is the HTTP status. From a source, 400 stays wrong until somebody changes something, 429 and 503 will
	// pass; SDKs retry for long what is 404, 410 or 5xx.
	Status int

	// Code is the identity endpoints' error code (imds-contract.md section 4). The others do not show it.
	Code string

	// Description is for people.
	Description string

	// RetryAfter is how long to wait after 429 and 503. Zero stands for a few seconds.
	RetryAfter time.Duration

	// newestVersions are named where a version was refused.
	newestVersions []string

	// allow is the header of that name, where a method was refused.
	allow string
}

// Error is the description.
func (e *Error) Error() string { return e.Description }

// Unavailable is what passes by itself and is not worth telling more of.
func Unavailable(description string) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "service_unavailable", Description: description}
}

// What is refused before a source is asked.
var (
	errVersion = &Error{
		Status: http.StatusBadRequest,
		Code:   "invalid_request",
		Description: "Bad request. api-version is invalid or was not specified in the request. " +
			"For more information refer to aka.ms/azureimds",
		newestVersions: newestVersions,
	}
	errHost           = invalid("Bad request. The request was made to a host name that is not this machine's")
	errNoLoadBalancer = &Error{
		Status: http.StatusNotFound,
		Code:   "not_found",
		Description: "No load balancer metadata is found. Check if your virtual machine is using any nonbasic SKU load " +
			"balancer and retry later.",
	}
	errNotFound = &Error{Status: http.StatusNotFound, Code: "not_found", Description: "Not found"}

	errIdentityHeader = &Error{
		Status: http.StatusUnauthorized, Code: "unauthorized_client",
		Description: "The header X-IDENTITY-HEADER is missing, or is not the value of IDENTITY_HEADER",
	}
	errMethod = &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Description: "Method not allowed"}
)

// invalid is a refusal that no retry will change.
func invalid(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

// fromSource makes any error of a source fit for an application. Statuses that some SDK misreads become 503: 502
// and 501 are not retried by all, 403 ends a chain of credentials, 404 is retried for a minute and a half.
func fromSource(err error) *Error {
	var told *Error
	if !errors.As(err, &told) {
		return Unavailable("The token or metadata could not be obtained, try again later")
	}
	answer := *told
	switch told.Status {
	case http.StatusBadRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		answer.Status, answer.Code = http.StatusServiceUnavailable, "service_unavailable"
	}
	// SDKs take this word for Docker Desktop's proxy, and so for a machine without IMDS.
	answer.Description = strings.ReplaceAll(answer.Description, "unreachable", "out of reach")
	return &answer
}
