package suite

import (
	"fmt"
	"net/url"
	"strings"
)

// Target is a server and the facts that cases need.
type Target struct {
	// URL is its address, such as http://169.254.169.254.
	URL string

	// Resource is a resource that it issues tokens for.
	Resource string

	// The IDs of one identity. Cases that need an empty one are skipped.
	ClientID, ObjectID, ResourceID string
}

// host returns the target's host and port as in a Host header.
func (t Target) host() (string, error) {
	at, err := url.Parse(t.URL)
	if err != nil {
		return "", err
	}
	if at.Scheme != "http" || at.Host == "" || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" {
		return "", fmt.Errorf("invalid URL %q: want http://HOST or http://HOST:PORT", t.URL)
	}
	return at.Host, nil
}

// A placeholder stands for a fact that only the target's owner knows. A case with an unknown placeholder is skipped, so
// cases need not state what they depend on.
type placeholder struct {
	name, value string

	// missing is the reason for skipping.
	missing string
}

// The placeholder for the result of learn: how to request a token that is issued.
const identityPlaceholder = "{identity}"

func (t Target) placeholders() []placeholder {
	return []placeholder{
		{"{resource}", t.Resource, "no -resource is given"},
		{"{escaped-resource}", url.QueryEscape(t.Resource), "no -resource is given"},
		{"{client-id}", t.ClientID, "no -client-id is given"},
		{"{object-id}", t.ObjectID, "no -object-id is given"},
		{"{resource-id}", t.ResourceID, "no -resource-id is given"},
	}
}

// knowledge holds the values of placeholders.
type knowledge struct {
	placeholders []placeholder

	// identity holds the parameters that a query needs beside the resource to get a token, if known; otherwise noToken says why.
	identity, noToken string
}

// lacks returns why a text cannot be filled in, or "".
func (k *knowledge) lacks(text string) (reason string) {
	for _, p := range k.placeholders {
		if p.value == "" && strings.Contains(text, p.name) {
			return p.missing
		}
	}
	if k.noToken != "" && strings.Contains(text, identityPlaceholder) {
		return k.noToken
	}
	return ""
}

// fill replaces placeholders by their values.
func (k *knowledge) fill(text string) string {
	for _, p := range k.placeholders {
		text = strings.ReplaceAll(text, p.name, p.value)
	}
	return strings.ReplaceAll(text, identityPlaceholder, k.identity)
}

func (k *knowledge) fillRequest(r request) request {
	filled := r
	filled.target, filled.body, filled.bytes = k.fill(r.target), k.fill(r.body), k.fill(r.bytes)
	return filled
}
