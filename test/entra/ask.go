package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

const (
	// maxForm bounds a request's form.
	maxForm = 64 << 10

	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// ask is a request for a token.
type ask struct {
	Exchange
	version   int
	tenant    string
	form      url.Values
	assertion assertion

	// now is the time at which assertions are verified and tokens made, which a fault can set wrong.
	now time.Time

	// expiresIn is the expires_in of the token.
	expiresIn int

	// host is the authority's, and correlation the client's ID of the request or else a new one.
	host, correlation, trace string
}

// assertion is an assertion of which nothing is verified.
type assertion struct {
	raw, algorithm, keyID string
	claims                jwt.RegisteredClaims
	err                   error
}

// readAsk reads a request, as far as it can be read.
func readAsk(writer http.ResponseWriter, request *http.Request, version int) (*ask, *refusal) {
	asked := &ask{
		version: version, tenant: request.PathValue("tenant"), host: request.Host,
		trace: uuid.NewString(), correlation: request.Header.Get("client-request-id"),
	}
	if uuid.Validate(asked.correlation) != nil {
		asked.correlation = uuid.NewString()
	}
	request.Body = http.MaxBytesReader(writer, request.Body, maxForm)
	err := request.ParseForm()
	asked.form = request.PostForm
	asked.assertion = readAssertion(asked.form.Get("client_assertion"))
	asked.ClientID = asked.form.Get("client_id")
	resource, malformed := asked.readResource()
	asked.Resource = resource
	if err != nil {
		return asked, refuse(9002313, "Invalid request. Request is malformed or invalid.")
	}
	if refused := asked.checkFields(); refused != nil {
		return asked, refused
	}
	return asked, malformed
}

func readAssertion(raw string) assertion {
	read := assertion{raw: raw}
	token, _, err := jwt.NewParser().ParseUnverified(raw, &read.claims)
	if token != nil {
		read.algorithm, _ = token.Header["alg"].(string)
		read.keyID, _ = token.Header["kid"].(string)
	}
	read.err = err
	return read
}

// checkFields checks everything but the resource.
func (a *ask) checkFields() *refusal {
	for _, name := range []string{"grant_type", "client_id"} {
		if a.form.Get(name) == "" {
			return missing(name)
		}
	}
	if grant := a.form.Get("grant_type"); grant != "client_credentials" {
		return refuse(70003, "The app requested an unsupported grant type '%s'.", grant)
	}
	kind, raw := a.form.Get("client_assertion_type"), a.form.Get("client_assertion")
	switch {
	case raw == "" && a.form.Get("client_secret") != "":
		return refuse(7000215, "Invalid client secret provided.")
	case raw == "" && kind == "":
		return refuse(7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")
	case raw == "":
		return refuse(7000218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
	case kind == "":
		return missing("client_assertion_type")
	case kind != jwtBearer:
		return refuse(9002313, "Invalid request. Request is malformed or invalid.")
	}
	if _, err := a.capabilities(); err != nil {
		return refuse(9002313, "Invalid request. Request is malformed or invalid.")
	}
	return nil
}

func missing(name string) *refusal {
	return refuse(900144, "The request body must contain the following parameter: '%s'.", name)
}

// identityScopes are scopes that clients add, and that say nothing about the resource.
var identityScopes = []string{"openid", "offline_access", "profile", "email"}

// readResource returns the resource that a request names: in scope, or for version 1 in resource.
func (a *ask) readResource() (string, *refusal) {
	if a.version == 1 {
		if resource := a.form.Get("resource"); resource != "" {
			return resource, nil
		}
		return "", missing("resource")
	}
	scopes := slices.DeleteFunc(strings.Fields(a.form.Get("scope")), func(one string) bool { return slices.Contains(identityScopes, one) })
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	if len(scopes) == 0 {
		if a.form.Get("scope") != "" {
			return "", malformedScope(a.form.Get("scope"))
		}
		return "", missing("scope")
	}
	resource, isDefault := strings.CutSuffix(scopes[0], "/.default")
	switch {
	case len(scopes) > 1:
		return resource, refuse(700022, "Provided value for the input parameter scope is not valid because it contains more than one resource.")
	case !isDefault || resource == "":
		return resource, malformedScope(scopes[0])
	}
	return resource, nil
}

func malformedScope(scope string) *refusal {
	return refuse(70011, "The provided value for the input parameter 'scope' is not valid. The scope %s is not valid.", scope)
}

// capabilities returns what the client says in the parameter claims that it can do, such as CP1: continuous access evaluation.
func (a *ask) capabilities() ([]string, error) {
	if a.form.Get("claims") == "" {
		return nil, nil
	}
	var claims struct {
		AccessToken struct {
			Capabilities struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.form.Get("claims")), &claims); err != nil {
		return nil, fmt.Errorf("read the parameter claims: %w", err)
	}
	return claims.AccessToken.Capabilities.Values, nil
}
