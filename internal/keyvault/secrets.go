package keyvault

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// The bounds of a secret (tokens.md section 7).
const (
	maxValue       = 25 << 10
	maxContentType = 255
)

// secrets are the objects whose values can be read.
type secrets struct{ *kind }

func (s *Server) newSecrets(behind *kind) *kind {
	k := secrets{s.newKind("secret", "Secret", kindActions{
		role.ReadSecretMetadata, role.DeleteSecret, role.RecoverSecret, role.PurgeSecret, role.BackupSecret, role.RestoreSecret,
	})}
	k.behind, k.render = behind, k.rendered
	k.own = routes{
		"PUT /secrets/{name}":                {role.SetSecret, k.set},
		"GET /secrets/{name}":                {role.GetSecret, k.read},
		"GET /secrets/{name}/{version...}":   {role.GetSecret, k.read},
		"PATCH /secrets/{name}":              {role.UpdateSecret, k.update},
		"PATCH /secrets/{name}/{version...}": {role.UpdateSecret, k.update},
	}
	return k.kind
}

// secretRequest is the body of a request that sets or updates a secret.
type secretRequest struct {
	settings
	Value       *string `json:"value"`
	ContentType *string `json:"contentType"`
}

// set adds a version.
func (k secrets) set(x *exchange) (int, any, error) {
	asked, err := readSecret(x.request)
	if err != nil {
		return 0, nil, err
	}
	if asked.Value == nil {
		return 0, nil, badParameter("Required parameter 'value' is missing in the request.")
	}
	version := k.newVersion()
	asked.applyTo(&version)
	secret, err := k.add(x, version, []byte(*asked.Value), nil)
	if err != nil {
		return 0, nil, err
	}
	bundle := k.bundle(x, found{secret, &version, k.kind}, whole)
	bundle.Value = asked.Value
	return http.StatusOK, bundle, nil
}

// read returns a version, the current one if none is named.
func (k secrets) read(x *exchange) (int, any, error) {
	one, err := k.find(x)
	if err != nil {
		return 0, nil, err
	}
	if one.version.Disabled {
		return 0, nil, forbidden("SecretDisabled", "Operation get is not allowed on a disabled secret.")
	}
	value, err := k.text(x, one)
	if err != nil {
		return 0, nil, err
	}
	bundle := k.bundle(x, one, whole)
	bundle.Value = &value
	return http.StatusOK, bundle, nil
}

// text returns the value of a secret, which may be the one behind a certificate.
func (k secrets) text(x *exchange, one found) (string, error) {
	value, err := one.value(x.request.Context(), x.vault.UID)
	if err != nil || one.keeper == k.kind {
		return string(value), err
	}
	return secretBehind(one.version, value)
}

// update changes everything but the value of a version.
func (k secrets) update(x *exchange) (int, any, error) {
	asked, err := readSecret(x.request)
	if err != nil {
		return 0, nil, err
	}
	return k.changeVersion(x, func(version *store.Version) error {
		asked.applyTo(version)
		return nil
	})
}

// readSecret reads and checks a body.
func readSecret(request *http.Request) (*secretRequest, error) {
	var asked secretRequest
	if err := readBody(request, maxBody, &asked); err != nil {
		return nil, err
	}
	if asked.Value != nil && len(*asked.Value) > maxValue {
		return nil, badParameter("The value of the secret is longer than %d bytes.", maxValue)
	}
	if asked.ContentType != nil && len(*asked.ContentType) > maxContentType {
		return nil, badParameter("The content type is longer than %d characters.", maxContentType)
	}
	return &asked, asked.check()
}

// applyTo sets what the request has on a version.
func (r *secretRequest) applyTo(version *store.Version) {
	r.settings.applyTo(version)
	if r.ContentType != nil {
		version.ContentType = *r.ContentType
	}
}

// secretBundle is a secret in answers and lists.
type secretBundle struct {
	Value       *string           `json:"value,omitempty"`
	ID          string            `json:"id"`
	ContentType string            `json:"contentType,omitempty"`
	Attributes  attributes        `json:"attributes"`
	Tags        map[string]string `json:"tags,omitempty"`

	// KeyID is the key behind the same certificate.
	KeyID   string `json:"kid,omitempty"`
	Managed bool   `json:"managed,omitempty"`
	deletion
}

func (k secrets) rendered(x *exchange, one found, as form) any { return k.bundle(x, one, as) }

func (k secrets) bundle(x *exchange, one found, as form) secretBundle {
	bundle := secretBundle{
		ID: k.id(x, one, as), ContentType: one.version.ContentType, Tags: one.version.Tags, Managed: one.keeper != k.kind,
		Attributes: x.vault.attributes(one.version), deletion: k.deletion(x, one),
	}
	if bundle.Managed && as == whole {
		bundle.KeyID = x.vault.url("keys", one.object.Name) + "/" + one.version.ID
	}
	return bundle
}
