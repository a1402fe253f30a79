package suite

import (
	"fmt"
	"net/url"
	"strings"
)

// Target is what is asked, and what has to be known of it.
type Target struct {
	// URL is where it is, as in http://169.254.169.254.
	URL string

	// Resource is one that tokens are given for.
	Resource string

	// The IDs of one identity. Cases that need one which is empty are skipped.
	ClientID, ObjectID, ResourceID string
}

// host is the target's host and port, as a header says it.
func (t Target) host() (string, error) {
	at, err := url.Parse(t.URL)
	if err != nil {
		return "", err
	}
	if at.Scheme != "http" || at.Host == "" || strings.Trim(at.Path, "/") != "" || at.RawQuery != "" {
		return "", fmt.Errorf("the URL %q is not of the form http://HOST or http://HOST:PORT", t.URL)
	}
	return at.Host, nil
}

// A placeholder stands for what only the target's owner knows. A case that uses one of which nothing is known is
// skipped, so nothing more has to be said of what a case needs.
type placeholder struct {
	name, value string

	// missing is the reason for skipping.
	missing string
}

// Placeholders whose value is not told but found out: how to ask for a token that is given.
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

// knowledge is what placeholders stand for.
type knowledge struct {
	placeholders []placeholder

	// identity is what a query needs beside the resource for a token to be given, if only it is known; else noToken
	// says why there is none.
	identity, noToken string
}

// lacks says which placeholder of a text nothing is known of, if there is one.
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

// fill puts in what placeholders stand for.
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
