package tokenendpoint

import (
	"errors"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// Refusal is an AADSTS error, and the failure behind it.
type Refusal struct {
	// Code is the number of the AADSTS error.
	Code int

	*failure.Failure
}

// Unwrap returns the failure.
func (r *Refusal) Unwrap() error { return r.Failure }

// The AADSTS errors of tokens.md section 3 that are answered here, and three that it does not have: 70003, 9002313 and 900561.
const (
	codeMalformed     = 9002313
	codeMissing       = 900144
	codeGrantType     = 70003
	codeNoAssertion   = 7000218
	codeScope         = 70011
	codeManyResources = 700022
	codeMethod        = 900561

	codeNoMatch   = 70021
	codeIssuer    = 700211
	codeAudience  = 700212
	codeKey       = 7000272
	codeSignature = 700027
	codeTime      = 700024
	codeGarbage   = 50027

	codeTenant   = 90002
	codeClient   = 700016
	codeResource = 500011

	codeThrottled = 90055
	codeTransient = 90033
)

// kind is an error's name in OAuth and its HTTP status.
type kind struct {
	name   string
	status int
}

var (
	badRequest = kind{"invalid_request", http.StatusBadRequest}
	badClient  = kind{"invalid_client", http.StatusUnauthorized}
	wrongScope = kind{"invalid_scope", http.StatusBadRequest}
)

// kinds are the kinds of errors.
var kinds = map[int]kind{
	codeMalformed: badRequest, codeMissing: badRequest, codeGarbage: badRequest, codeTenant: badRequest,
	codeGrantType: {"unsupported_grant_type", http.StatusBadRequest},
	codeScope:     wrongScope, codeManyResources: wrongScope,
	codeNoAssertion: badClient, codeNoMatch: badClient, codeIssuer: badClient, codeAudience: badClient, codeKey: badClient,
	codeSignature: badClient, codeTime: badClient,
	codeClient:    {"unauthorized_client", http.StatusBadRequest},
	codeResource:  {"invalid_resource", http.StatusBadRequest},
	codeThrottled: {"temporarily_unavailable", http.StatusTooManyRequests},
	codeTransient: {"temporarily_unavailable", http.StatusServiceUnavailable},
}

// refuse returns the refusal of a request that is wrong. No description quotes the request, which may have the assertion anywhere.
func refuse(code int, description string) *Refusal {
	return &Refusal{code, failure.BadRequest(description)}
}

func malformed() *Refusal {
	return refuse(codeMalformed, "Invalid request. Request is malformed or invalid.")
}

func missing(name string) *Refusal {
	return refuse(codeMissing, "The request body must contain the following parameter: '"+name+"'.")
}

func badScope(why string) *Refusal {
	return refuse(codeScope, "The provided value for the input parameter 'scope' is not valid. "+why)
}

// OtherTenant returns the refusal of an identity that belongs to another tenant than the one in the path.
func OtherTenant() *Refusal {
	return refuse(codeTenant, "Tenant not found: the identity belongs to another one.")
}

// OtherSource returns the refusal of an identity whose tokens are not issued here.
func OtherSource() *Refusal {
	return refuse(codeClient, "Application was not found in the directory: this is the cluster's token endpoint, and the identity's "+
		"tokens come from Entra ID itself.")
}

// refusalOf returns an error as Entra words it. Pods that are not served, and identities that are not granted, learn no more than
// that: the audit log says why.
func refusalOf(err error) *Refusal {
	if known, found := errors.AsType[*Refusal](err); found {
		return known
	}
	switch f := failure.Of(err); {
	case f.Kind == failure.Throttled:
		return &Refusal{codeThrottled, f}
	case f.Temporary():
		return &Refusal{codeTransient, f}
	case f.Kind == failure.Unauthenticated, f.Kind == failure.Forbidden:
		return worded(codeNoMatch, f, "No matching federated identity record found for presented assertion.")
	case f.Kind == failure.InvalidResource:
		return worded(codeResource, f, "The resource principal was not found in the tenant.")
	case f.Reason == failure.ReasonBadRequest:
		return &Refusal{codeScope, f}
	default:
		return worded(codeClient, f, "Application was not found in the directory.")
	}
}

// worded returns a refusal whose description is another one than the failure's.
func worded(code int, f *failure.Failure, description string) *Refusal {
	said := *f
	said.Description = description
	return &Refusal{code, &said}
}
