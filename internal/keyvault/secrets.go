package keyvault

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// The bounds of a secret (tokens.md section 7).
const (
	maxValue       = 25 << 10
	maxContentType = 255
	maxTags        = 15
	maxTag         = 256

	// maxBody bounds a request: a value in JSON, where every byte may be escaped, beside tags.
	maxBody = 256 << 10
)

// secretRequest is the body of a request that sets or updates a secret. Times are in seconds since 1970 UTC.
type secretRequest struct {
	Value       *string           `json:"value"`
	ContentType *string           `json:"contentType"`
	Tags        map[string]string `json:"tags"`
	Attributes  struct {
		Enabled   *bool  `json:"enabled"`
		NotBefore *int64 `json:"nbf"`
		Expires   *int64 `json:"exp"`
	} `json:"attributes"`
}

// setSecret adds a version.
func (s *Server) setSecret(x *exchange) (int, any, error) {
	asked, err := readSecret(x.request)
	if err != nil {
		return 0, nil, err
	}
	if asked.Value == nil {
		return 0, nil, badParameter("Required parameter 'value' is missing in the request.")
	}
	ctx, name := x.request.Context(), x.name
	found, err := s.Secrets.Get(ctx, x.vault.UID, name)
	if err != nil {
		return 0, nil, err
	}
	if found != nil && found.Deleted != nil {
		return 0, nil, isDeleted(name)
	}
	now := s.Now().Unix()
	version := store.Version{ID: newVersion(), Created: now, Updated: now}
	asked.applyTo(&version)
	if err := s.Secrets.PutValue(ctx, x.vault.UID, name, version.ID, []byte(*asked.Value)); err != nil {
		return 0, nil, err
	}
	secret, err := s.Secrets.Change(ctx, x.vault.UID, name, func(secret *store.Object) error {
		if secret.Deleted != nil {
			return isDeleted(name)
		}
		secret.Versions = append(secret.Versions, version)
		return nil
	})
	if errors.Is(err, store.ErrTooManyVersions) {
		return 0, nil, badParameter("%s", err)
	}
	if err != nil {
		return 0, nil, err
	}
	bundle := x.vault.bundle(secret, &version, false)
	bundle.Value = asked.Value
	return http.StatusOK, bundle, nil
}

// getSecret returns a version, the current one if none is named.
func (s *Server) getSecret(x *exchange) (int, any, error) {
	secret, version, err := s.findVersion(x)
	if err != nil {
		return 0, nil, err
	}
	if version.Disabled {
		return 0, nil, forbidden("SecretDisabled", "Operation get is not allowed on a disabled secret.")
	}
	value, err := s.Secrets.Value(x.request.Context(), x.vault.UID, secret.Name, version.ID)
	if err != nil {
		return 0, nil, err
	}
	bundle := x.vault.bundle(secret, version, false)
	text := string(value)
	bundle.Value = &text
	return http.StatusOK, bundle, nil
}

// findVersion returns the secret and the version of a path, if they are there and not deleted.
func (s *Server) findVersion(x *exchange) (*store.Object, *store.Version, error) {
	secret, err := s.Secrets.Get(x.request.Context(), x.vault.UID, x.name)
	if err != nil {
		return nil, nil, err
	}
	if secret == nil || secret.Deleted != nil {
		return nil, nil, notFound(x.name)
	}
	version := secret.Version(x.version)
	if version == nil {
		return nil, nil, notFound(x.name + "/" + cut(x.version))
	}
	return secret, version, nil
}

// updateSecret changes everything but the value of a version.
func (s *Server) updateSecret(x *exchange) (int, any, error) {
	asked, err := readSecret(x.request)
	if err != nil {
		return 0, nil, err
	}
	var version *store.Version
	secret, err := s.Secrets.Change(x.request.Context(), x.vault.UID, x.name, func(secret *store.Object) error {
		if len(secret.Versions) == 0 || secret.Deleted != nil {
			return notFound(x.name)
		}
		if version = secret.Version(x.version); version == nil {
			return notFound(x.name + "/" + cut(x.version))
		}
		asked.applyTo(version)
		version.Updated = s.Now().Unix()
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, x.vault.bundle(secret, version, false), nil
}

// deleteSecret deletes a secret with all its versions. It can be recovered until its retention is over.
func (s *Server) deleteSecret(x *exchange) (int, any, error) {
	secret, err := s.Secrets.Change(x.request.Context(), x.vault.UID, x.name, func(secret *store.Object) error {
		if len(secret.Versions) == 0 || secret.Deleted != nil {
			return notFound(x.name)
		}
		now := s.Now()
		secret.Deleted = &store.Deletion{Date: now.Unix(), Purge: now.Add(x.vault.retention()).Unix()}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, x.vault.bundle(secret, secret.Current(), false), nil
}

// getDeletedSecret returns a deleted secret without its value.
func (s *Server) getDeletedSecret(x *exchange) (int, any, error) {
	secret, err := s.Secrets.Get(x.request.Context(), x.vault.UID, x.name)
	if err != nil {
		return 0, nil, err
	}
	if secret == nil || secret.Deleted == nil {
		return 0, nil, notFound(x.name)
	}
	return http.StatusOK, x.vault.bundle(secret, secret.Current(), false), nil
}

// recoverSecret makes a deleted secret what it was.
func (s *Server) recoverSecret(x *exchange) (int, any, error) {
	secret, err := s.Secrets.Change(x.request.Context(), x.vault.UID, x.name, func(secret *store.Object) error {
		if len(secret.Versions) == 0 || secret.Deleted == nil {
			return notFound(x.name)
		}
		secret.Deleted = nil
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, x.vault.bundle(secret, secret.Current(), false), nil
}

// purgeSecret removes a deleted secret for good.
func (s *Server) purgeSecret(x *exchange) (int, any, error) {
	ctx := x.request.Context()
	// From here on it is gone, so that nobody recovers it while its values are removed.
	_, err := s.Secrets.Change(ctx, x.vault.UID, x.name, func(secret *store.Object) error {
		switch {
		case len(secret.Versions) == 0 || secret.Deleted == nil:
			return notFound(x.name)
		case x.vault.Protected:
			return forbidden("ForbiddenByPolicy", "Operation \"purge\" is not allowed because purge protection is enabled for this vault.")
		}
		secret.Deleted.Purge = s.Now().Unix()
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.Secrets.Purge(ctx, x.vault.UID, x.name)
}

// readSecret reads and checks a body.
func readSecret(request *http.Request) (*secretRequest, error) {
	content, err := io.ReadAll(io.LimitReader(request.Body, maxBody+1))
	if err != nil {
		return nil, badParameter("The request body cannot be read.")
	}
	if len(content) > maxBody {
		return nil, &Failure{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The request body is too large."}
	}
	var asked secretRequest
	if json.Unmarshal(content, &asked) != nil {
		return nil, badParameter("The request body is not the JSON object that it should be.")
	}
	return &asked, asked.check()
}

// check refuses what is too long (tokens.md section 7).
func (r *secretRequest) check() error {
	if r.Value != nil && len(*r.Value) > maxValue {
		return badParameter("The value of the secret is longer than %d bytes.", maxValue)
	}
	if r.ContentType != nil && len(*r.ContentType) > maxContentType {
		return badParameter("The content type is longer than %d characters.", maxContentType)
	}
	if len(r.Tags) > maxTags {
		return badParameter("There are more than %d tags.", maxTags)
	}
	for name, value := range r.Tags {
		if len(name) > maxTag || len(value) > maxTag {
			return badParameter("The name or the value of a tag is longer than %d characters.", maxTag)
		}
	}
	if from, to := r.Attributes.NotBefore, r.Attributes.Expires; from != nil && to != nil && *from > *to {
		return badParameter("The attribute nbf is after exp.")
	}
	return nil
}

// applyTo sets what the request has on a version.
func (r *secretRequest) applyTo(version *store.Version) {
	if r.ContentType != nil {
		version.ContentType = *r.ContentType
	}
	if r.Tags != nil {
		version.Tags = r.Tags
	}
	if r.Attributes.Enabled != nil {
		version.Disabled = !*r.Attributes.Enabled
	}
	if r.Attributes.NotBefore != nil {
		version.NotBefore = r.Attributes.NotBefore
	}
	if r.Attributes.Expires != nil {
		version.Expires = r.Attributes.Expires
	}
}

// newVersion returns the ID of a new version: 32 hexadecimal digits.
func newVersion() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
