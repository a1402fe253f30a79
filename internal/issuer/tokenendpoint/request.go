package tokenendpoint

import (
	"net/http"
	"net/url"
	"strings"
)

// Request asks for a token of an identity. Only its form has been checked.
type Request struct {
	// TenantID is the directory in the path, in any form.
	TenantID string

	// ClientID names the identity. It is never empty.
	ClientID string

	// Resource is the audience of the token.
	Resource string

	// Assertion proves who asks.
	Assertion string

	version Version
}

// Version is the version of the endpoint.
type Version int

// The versions. Version 1 names a resource, version 2 a scope.
const (
	V1 Version = 1
	V2 Version = 2
)

const (
	// maxForm bounds a form. It is read before anybody knows who sent it, and an assertion has 8 KiB at the most.
	maxForm = 16 << 10

	clientCredentials = "client_credentials"
	jwtBearer         = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Read reads a request. Parameters that say nothing about the token here, such as claims and client_info, are ignored.
func Read(request *http.Request, version Version) (*Request, error) {
	request.Body = http.MaxBytesReader(nil, request.Body, maxForm)
	if request.ParseForm() != nil {
		return nil, malformed()
	}
	form := request.PostForm
	if err := check(form); err != nil {
		return nil, err
	}
	resource, err := resourceOf(form, version)
	if err != nil {
		return nil, err
	}
	return &Request{
		TenantID: request.PathValue(tenant), ClientID: form.Get("client_id"), Resource: resource,
		Assertion: form.Get("client_assertion"), version: version,
	}, nil
}

// check checks everything but the resource.
func check(form url.Values) error {
	for _, values := range form {
		if len(values) > 1 {
			return malformed()
		}
	}
	for _, name := range []string{"grant_type", "client_id"} {
		if form.Get(name) == "" {
			return missing(name)
		}
	}
	if form.Get("grant_type") != clientCredentials {
		return refuse(codeGrantType, "The app requested an unsupported grant type. Only "+clientCredentials+" is supported here.")
	}
	if form.Get("client_assertion") == "" {
		return refuse(codeNoAssertion, "The request body must contain the following parameter: 'client_assertion'. Secrets are not supported here.")
	}
	switch form.Get("client_assertion_type") {
	case jwtBearer:
		return nil
	case "":
		return missing("client_assertion_type")
	}
	return malformed()
}

// resourceOf returns the resource that a form names.
func resourceOf(form url.Values, version Version) (string, error) {
	if version == V2 {
		return resourceOfScope(form.Get("scope"))
	}
	if resource := form.Get("resource"); resource != "" {
		return resource, nil
	}
	return "", missing("resource")
}

// isIdentityScope reports whether a scope says nothing about the resource. Clients add those (tokens.md section 3).
func isIdentityScope(scope string) bool {
	switch scope {
	case "openid", "offline_access", "profile", "email":
		return true
	}
	return false
}

// resourceOfScope returns the resource of a scope: RESOURCE/.default, of which exactly that ending is cut off, so that a slash before
// it stays part of the resource (tokens.md section 1).
func resourceOfScope(scope string) (string, error) {
	resource, scopes := "", strings.Fields(scope)
	if len(scopes) == 0 {
		return "", missing("scope")
	}
	for _, one := range scopes {
		named, isDefault := strings.CutSuffix(one, "/.default")
		switch {
		case isIdentityScope(one):
		case !isDefault || named == "":
			return "", badScope("A scope is a resource followed by /.default.")
		case resource != "" && resource != named:
			return "", refuse(codeManyResources,
				"The provided value for the input parameter 'scope' is not valid because it contains more than one resource.")
		default:
			resource = named
		}
	}
	if resource == "" {
		return "", badScope("It names no resource.")
	}
	return resource, nil
}
