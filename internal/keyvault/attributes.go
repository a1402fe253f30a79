package keyvault

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// The bounds of all objects (tokens.md section 7).
const (
	maxTags = 15
	maxTag  = 256

	// maxBody bounds a request, in bytes: a secret's value in JSON, where every byte may be escaped, beside tags.
	maxBody = 256 << 10
)

// settings are what requests set of any object. Times are in seconds since 1970 UTC.
type settings struct {
	Tags       map[string]string `json:"tags"`
	Attributes struct {
		Enabled   *bool  `json:"enabled"`
		NotBefore *int64 `json:"nbf"`
		Expires   *int64 `json:"exp"`

		// Exportable is of keys.
		Exportable bool `json:"exportable"`
	} `json:"attributes"`
}

// check refuses what is too long.
func (s *settings) check() error {
	if len(s.Tags) > maxTags {
		return badParameter("There are more than %d tags.", maxTags)
	}
	for name, value := range s.Tags {
		if len(name) > maxTag || len(value) > maxTag {
			return badParameter("The name or the value of a tag is longer than %d characters.", maxTag)
		}
	}
	if from, to := s.Attributes.NotBefore, s.Attributes.Expires; from != nil && to != nil && *from > *to {
		return badParameter("The attribute nbf is after exp.")
	}
	return nil
}

// applyTo sets what the request has on a version.
func (s *settings) applyTo(version *store.Version) {
	if s.Tags != nil {
		version.Tags = s.Tags
	}
	if s.Attributes.Enabled != nil {
		version.Disabled = !*s.Attributes.Enabled
	}
	if s.Attributes.NotBefore != nil {
		version.NotBefore = s.Attributes.NotBefore
	}
	if s.Attributes.Expires != nil {
		version.Expires = s.Attributes.Expires
	}
}

// readBody reads a body of up to a number of bytes into a request's type.
func readBody(request *http.Request, limit int64, into any) error {
	content, err := io.ReadAll(io.LimitReader(request.Body, limit+1))
	if err != nil {
		return badParameter("The request body cannot be read.")
	}
	if int64(len(content)) > limit {
		return &Failure{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The request body is too large."}
	}
	if json.Unmarshal(content, into) != nil {
		return badParameter("The request body is not the JSON object that it should be.")
	}
	return nil
}

// attributes are what answers have of any object. Times are in seconds since 1970 UTC.
type attributes struct {
	Enabled         bool   `json:"enabled"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	Created         int64  `json:"created"`
	Updated         int64  `json:"updated"`
	RecoveryLevel   string `json:"recoveryLevel"`
	RecoverableDays int    `json:"recoverableDays"`
}

func (v *Vault) attributes(version *store.Version) attributes {
	return attributes{
		Enabled: !version.Disabled, NotBefore: version.NotBefore, Expires: version.Expires, Created: version.Created, Updated: version.Updated,
		RecoveryLevel: v.recoveryLevel(), RecoverableDays: v.RetentionDays,
	}
}

// deletion is what answers have of a deleted object besides. Times are in seconds since 1970 UTC.
type deletion struct {
	RecoveryID         string `json:"recoveryId,omitempty"`
	DeletedDate        int64  `json:"deletedDate,omitempty"`
	ScheduledPurgeDate int64  `json:"scheduledPurgeDate,omitempty"`
}

func (k *kind) deletion(x *exchange, one found) deletion {
	if one.object.Deleted == nil {
		return deletion{}
	}
	return deletion{x.vault.url("deleted"+k.plural, one.object.Name), one.object.Deleted.Date, one.object.Deleted.Purge}
}

// id returns the URL of an object, and of its version unless it is in a list of objects.
func (k *kind) id(x *exchange, one found, as form) string {
	if as == inList {
		return x.vault.url(k.plural, one.object.Name)
	}
	return x.vault.url(k.plural, one.object.Name) + "/" + one.version.ID
}
