package keyvault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/kube-imds/kube-imds/internal/keyvault/certificate"
	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Failure is an answer in Key Vault's error shape.
type Failure struct {
	Status  int
	Code    string
	Message string

	// Inner is the code of the inner error, if there is one.
	Inner string

	// RetryAfter is in seconds, if not 0.
	RetryAfter int
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// write answers with the failure.
func (f *Failure) write(writer http.ResponseWriter) error {
	type inner struct {
		Code string `json:"code"`
	}
	body := struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Inner   *inner `json:"innererror,omitempty"`
	}{Code: f.Code, Message: f.Message}
	if f.Inner != "" {
		body.Inner = &inner{f.Inner}
	}
	if f.RetryAfter > 0 {
		writer.Header().Set("Retry-After", fmt.Sprint(f.RetryAfter))
	}
	return writeJSON(writer, f.Status, map[string]any{"error": body})
}

func writeJSON(writer http.ResponseWriter, status int, body any) error {
	writer.Header().Set("Content-Type", "application/json; charset=utf-8")
	writer.WriteHeader(status)
	return json.NewEncoder(writer).Encode(body)
}

// failureOf returns the failure that an error is, or nil for what is not the caller's.
func failureOf(err error) *Failure {
	if refused, ok := errors.AsType[*refusal.Error](err); ok {
		failed := badParameter("%s", refused.Message)
		if failed.Inner = refused.Inner; refused.Forbidden {
			failed.Status, failed.Code = http.StatusForbidden, "Forbidden"
		}
		return failed
	}
	if refused, ok := errors.AsType[*certificate.Refusal](err); ok {
		return badParameter("%s", refused.Message)
	}
	failed, _ := errors.AsType[*Failure](err)
	return failed
}

func badParameter(format string, values ...any) *Failure {
	return &Failure{Status: http.StatusBadRequest, Code: "BadParameter", Message: fmt.Sprintf(format, values...)}
}

func (k *kind) notFound(what string) *Failure {
	name := strings.ToLower(k.title)
	return &Failure{Status: http.StatusNotFound, Code: k.title + "NotFound", Message: fmt.Sprintf(
		"A %s with (name/id) %s was not found in this key vault. If you recently deleted this %s you may be able to recover it "+
			"using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182", name, what, name)}
}

func conflict(inner, message string) *Failure {
	return &Failure{Status: http.StatusConflict, Code: "Conflict", Message: message, Inner: inner}
}

// isDeleted refuses a name that a deleted object has.
func (k *kind) isDeleted(name string) *Failure {
	return conflict("ObjectIsDeletedButRecoverable", fmt.Sprintf("%s %s is currently in a deleted but recoverable state, and its name "+
		"cannot be reused; in this state, the secret can only be recovered or purged.", k.title, name))
}

func forbidden(inner, message string) *Failure {
	return &Failure{Status: http.StatusForbidden, Code: "Forbidden", Message: message, Inner: inner}
}

// notAuthorized refuses a caller that has no role with the action.
func notAuthorized(x *exchange, action role.Action) *Failure {
	return forbidden("ForbiddenByRbac", fmt.Sprintf("Caller is not authorized to perform action on resource.\r\n"+
		"If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n"+
		"Caller: appid=%s;oid=%s\r\nAction: '%s'\r\nResource: '%s'\r\nAssignment: (not found)\r\nVault: %s",
		x.caller.ClientID, x.caller.ObjectID, action, x.resource(), x.vault.Name))
}

// unavailable is the failure while the cluster cannot be asked.
func unavailable() *Failure {
	return &Failure{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The vault is not available at the moment. Please try again.", RetryAfter: 2}
}
