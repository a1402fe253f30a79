package issuerclient

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// ErrNotAuthenticated marks errors that say nothing about the grant: the issuer does not accept the pod's ServiceAccount
// token, or the pod is not on its node.
var ErrNotAuthenticated = errors.New("the issuer does not take the pod's ServiceAccount token")

// refusalOf converts an error response for the application; see issuerapi.Error for the statuses.
func refusalOf(response *http.Response) error {
	var answer issuerapi.Error
	if err := decode(response, &answer); err != nil || answer.Code == "" {
		answer = issuerapi.Error{Code: "invalid_request", Description: "The issuer gave no reason"}
	}
	refusal := &imds.Error{
		Status:      response.StatusCode,
		Code:        answer.Code,
		Description: answer.Description,
		RetryAfter:  retryAfter(response.Header),
	}
	switch response.StatusCode {
	case http.StatusBadRequest, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return refusal
	case http.StatusUnauthorized, http.StatusForbidden:
		refusal.Status, refusal.Code = http.StatusBadRequest, "unauthorized_client"
		return fmt.Errorf("%w: %w", ErrNotAuthenticated, refusal)
	}
	return fmt.Errorf("the issuer answered with the status %d", response.StatusCode)
}

func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
