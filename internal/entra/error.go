package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Error is what Entra answers instead of a token.
type Error struct {
	// Status is the HTTP status, and OAuth the error's name, such as invalid_client.
	Status int
	OAuth  string

	// Code is the number of the AADSTS error; 0 if there is none.
	Code int

	// TraceID and CorrelationID identify the request in Entra's logs.
	TraceID, CorrelationID string

	// RetryAfter is how long Entra wants to be left alone; 0 if it does not say.
	RetryAfter time.Duration
}

// Error returns the error's numbers. It quotes nothing that Entra echoes from the request.
func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("Entra ID answers %d %s", e.Status, e.OAuth)
	}
	return fmt.Sprintf("Entra ID answers AADSTS%d: %s (trace ID %s, correlation ID %s)", e.Code, e.Meaning(), e.TraceID, e.CorrelationID)
}

// Temporary reports whether the same request can succeed later without anybody doing something.
func (e *Error) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError || meanings[e.Code].passes
}

// Throttled reports whether Entra is asked too much.
func (e *Error) Throttled() bool {
	return e.Status == http.StatusTooManyRequests || e.Code == loopDetected
}

// Meaning says in a sentence what the error means for an identity.
func (e *Error) Meaning() string {
	if known, found := meanings[e.Code]; found {
		return known.text
	}
	return "Entra ID refuses the identity"
}

// Cause returns what has to be put right.
func (e *Error) Cause() Cause { return meanings[e.Code].cause }

// Cause is where the way out of an error lies.
type Cause int

// The causes.
const (
	// CauseUnknown is everything else.
	CauseUnknown Cause = iota

	// CauseCredential is a federated credential that is missing, different, or too new.
	CauseCredential

	// CausePublication is a public file of the federation issuer that Entra cannot read or that lacks the key.
	CausePublication

	// CauseIdentity is a client or tenant ID that Entra does not know.
	CauseIdentity

	// CauseResource is a resource that the tenant does not have.
	CauseResource

	// CauseClock is a clock of this cluster that is wrong.
	CauseClock

	// CauseAlgorithm is a key of the cluster's that Entra takes no signature of.
	CauseAlgorithm

	// CausePolicy is a policy of the tenant.
	CausePolicy

	// CauseLoad passes by itself.
	CauseLoad
)

// loopDetected is AADSTS50196: the same request too often.
const loopDetected = 50196

type meaning struct {
	text   string
	cause  Cause
	passes bool
}

const (
	noCredential = "the identity has no federated credential of this issuer, subject and audience; one that was created within the last " +
		"ten minutes takes effect soon"
	noDiscovery = "Entra ID cannot read the public files of the assertion's issuer"
	tryLater    = "Entra ID is busy or failed for the moment"
)

// meanings are the AADSTS errors of tokens.md section 3.
var meanings = map[int]meaning{
	700211:       {"the identity has no federated credential with this issuer", CauseCredential, false},
	700212:       {"the identity's federated credential has another audience", CauseCredential, false},
	700213:       {noCredential, CauseCredential, false},
	7002138:      {"the identity's federated credential differs from the subject in the case of letters", CauseCredential, false},
	70021:        {noCredential, CauseCredential, false},
	70025:        {"the identity has no federated credential at all", CauseCredential, false},
	7000272:      {"the key that signed the assertion is not among the issuer's public keys that Entra ID has read", CausePublication, false},
	90061:        {noDiscovery, CausePublication, false},
	50166:        {noDiscovery, CausePublication, false},
	501661:       {noDiscovery, CausePublication, false},
	700024:       {"the assertion is not valid at Entra ID's time", CauseClock, false},
	700027:       {"the assertion's signature does not verify with the issuer's public key", CausePublication, false},
	5002738:      {"the assertion is signed with an algorithm that Entra ID does not take: it takes RSA only", CauseAlgorithm, false},
	50027:        {"the assertion is malformed", CauseUnknown, false},
	900384:       {"the assertion is malformed", CauseUnknown, false},
	700222:       {"an assertion that Entra ID itself issued is not accepted for this identity", CauseCredential, false},
	700226:       {"an assertion that Entra ID itself issued is not accepted for this identity", CauseCredential, false},
	700229:       {"an assertion that Entra ID itself issued is not accepted for this identity", CauseCredential, false},
	700016:       {"the tenant has no application or identity with this client ID", CauseIdentity, false},
	90002:        {"there is no such tenant", CauseIdentity, false},
	500011:       {"the tenant does not have the resource", CauseResource, false},
	70011:        {"the resource is malformed", CauseResource, false},
	700022:       {"more than one resource was asked for", CauseResource, false},
	900144:       {"a field of the request is missing", CauseUnknown, false},
	7000215:      {"the authority did not accept the assertion as the client's credential", CauseUnknown, false},
	7000216:      {"the authority did not accept the assertion as the client's credential", CauseUnknown, false},
	7000218:      {"the authority did not accept the assertion as the client's credential", CauseUnknown, false},
	53003:        {"a Conditional Access policy of the tenant blocks the identity", CausePolicy, false},
	100007:       {"the authority is a regional one, which does not take federated credentials", CauseUnknown, false},
	loopDetected: {"the same token was asked for too often", CauseLoad, true},
	90033:        {tryLater, CauseLoad, true},
	90024:        {tryLater, CauseLoad, true},
	90006:        {tryLater, CauseLoad, true},
	50033:        {tryLater, CauseLoad, true},
	90055:        {tryLater, CauseLoad, true},
}

// Known reports whether an AADSTS code is one that Entra answers to an exchange.
func Known(code int) bool { _, found := meanings[code]; return found }

// maxID bounds the IDs of an error, which are GUIDs.
const maxID = 36

// maxOAuth bounds the name of an error.
const maxOAuth = 64

// maxRetryAfter bounds how long a server can ask to be left alone.
const maxRetryAfter = time.Hour

// readError reads an error. Entra's own description is left out, because it repeats parts of the request.
func readError(response *http.Response, content []byte) *Error {
	var answer struct {
		Error         string `json:"error"`
		Codes         []int  `json:"error_codes"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
	}
	// An answer that is not JSON comes from something in between, and its status says enough.
	_ = json.Unmarshal(content, &answer)
	read := &Error{
		Status: response.StatusCode, OAuth: cut(answer.Error, maxOAuth),
		TraceID: cut(answer.TraceID, maxID), CorrelationID: cut(answer.CorrelationID, maxID),
	}
	if len(answer.Codes) > 0 {
		read.Code = answer.Codes[0]
	}
	if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && wait > 0 {
		read.RetryAfter = time.Duration(min(wait, int(maxRetryAfter/time.Second))) * time.Second
	}
	return read
}

// cut keeps printable ASCII of a text, up to a length.
func cut(text string, length int) string {
	kept := make([]byte, 0, min(len(text), length))
	for i := 0; i < len(text) && len(kept) < length; i++ {
		if text[i] > ' ' && text[i] < 0x7f {
			kept = append(kept, text[i])
		}
	}
	return string(kept)
}
