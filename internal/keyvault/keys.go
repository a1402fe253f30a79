package keyvault

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/jwk"
	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// keys are the objects whose private part never leaves the vault. The value of a version is its private key; its detail is the public one.
type keys struct{ *kind }

func (s *Server) newKeys(behind *kind) keys {
	k := keys{s.newKind("key", "Key", kindActions{
		role.ReadKey, role.DeleteKey, role.RecoverKey, role.PurgeKey, role.BackupKey, role.RestoreKey,
	})}
	k.behind, k.render = behind, k.rendered
	k.own = routes{
		"POST /keys/{name}/create":         {role.CreateKey, k.create},
		"PUT /keys/{name}":                 {role.ImportKey, k.importKey},
		"GET /keys/{name}":                 {role.ReadKey, k.read},
		"GET /keys/{name}/{version...}":    {role.ReadKey, k.read},
		"PATCH /keys/{name}":               {role.UpdateKey, k.update},
		"PATCH /keys/{name}/{version...}":  {role.UpdateKey, k.update},
		"POST /keys/{name}/rotate":         {role.RotateKey, k.rotate},
		"GET /keys/{name}/rotationpolicy":  {role.ReadRotationPolicy, k.rotationPolicy},
		"PUT /keys/{name}/rotationpolicy":  {role.WriteRotationPolicy, k.setRotationPolicy},
		"POST /keys/{name}/{rest}/release": {role.ReleaseKey, k.release},
	}
	for path, one := range k.cryptography() {
		k.own["POST /keys/{name}/"+path] = one
		k.own["POST /keys/{name}/{version}/"+path] = one
	}
	return k
}

// keyRequest is the body of a request that creates, imports or updates a key.
type keyRequest struct {
	settings
	Type          string          `json:"kty"`
	Size          int             `json:"key_size"`
	Curve         string          `json:"crv"`
	Exponent      int             `json:"public_exponent"`
	Operations    []jwk.Operation `json:"key_ops"`
	HSM           bool            `json:"Hsm"`
	Key           *jwk.Private    `json:"key"`
	ReleasePolicy json.RawMessage `json:"release_policy"`
}

// exponent is the only public exponent that keys have.
const exponent = 65537

func readKey(request *http.Request) (*keyRequest, error) {
	var asked keyRequest
	if err := readBody(request, maxBody, &asked); err != nil {
		return nil, err
	}
	if len(asked.ReleasePolicy) > 0 && string(asked.ReleasePolicy) != "null" || asked.Attributes.Exportable {
		return nil, refusal.New("Keys cannot be exported from this vault: there is no enclave to release them to.")
	}
	return &asked, asked.check()
}

// create makes a new key, as a version.
func (k keys) create(x *exchange) (int, any, error) {
	asked, err := readKey(x.request)
	if err != nil {
		return 0, nil, err
	}
	if asked.Exponent != 0 && asked.Exponent != exponent {
		return 0, nil, refusal.New("The only public exponent that this vault has is %d.", exponent)
	}
	made, err := generate(x.request.Context(), jwk.Spec{Type: jwk.Type(asked.Type), Size: asked.Size, Curve: asked.Curve})
	if err != nil {
		return 0, nil, err
	}
	return k.keep(x, made, asked)
}

func generate(ctx context.Context, spec jwk.Spec) (*jwk.Key, error) {
	return heavy(ctx, func() (*jwk.Key, error) { return jwk.Generate(spec) })
}

// importKey keeps a key that was made elsewhere, as a version.
func (k keys) importKey(x *exchange) (int, any, error) {
	asked, err := readKey(x.request)
	if err != nil {
		return 0, nil, err
	}
	if asked.HSM {
		return 0, nil, refusal.New("This vault has no HSM.")
	}
	if asked.Key == nil {
		return 0, nil, refusal.New("Required parameter 'key' is missing in the request.")
	}
	imported, err := heavy(x.request.Context(), func() (*jwk.Key, error) { return jwk.Import(asked.Key) })
	if err != nil {
		return 0, nil, err
	}
	asked.Operations = asked.Key.Operations
	return k.keep(x, imported, asked)
}

func (k keys) keep(x *exchange, key *jwk.Key, asked *keyRequest) (int, any, error) {
	operations, err := jwk.CheckOperations(key.Type(), asked.Operations)
	if err != nil {
		return 0, nil, err
	}
	version := k.newVersion()
	asked.applyTo(&version)
	private, err := describeKey(&version, key, operations)
	if err != nil {
		return 0, nil, err
	}
	object, err := k.add(x, version, private, nil)
	return k.current(x, object, err)
}

// describeKey sets a version's detail to a key's public part, and returns the private one to be kept.
func describeKey(version *store.Version, key *jwk.Key, operations []jwk.Operation) ([]byte, error) {
	public, err := key.Public()
	if err != nil {
		return nil, fmt.Errorf("read the public part of a key: %w", err)
	}
	public.Operations = operations
	if version.Detail, err = json.Marshal(public); err != nil {
		return nil, fmt.Errorf("render the public part of a key: %w", err)
	}
	return key.Marshal()
}

func (k keys) read(x *exchange) (int, any, error) {
	one, err := k.find(x)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, one, whole), nil
}

// update changes the operations, attributes and tags of a version.
func (k keys) update(x *exchange) (int, any, error) {
	asked, err := readKey(x.request)
	if err != nil {
		return 0, nil, err
	}
	return k.changeVersion(x, func(version *store.Version) error {
		asked.applyTo(version)
		if asked.Operations == nil {
			return nil
		}
		public, err := publicOf(version)
		if err != nil {
			return err
		}
		if public.Operations, err = jwk.CheckOperations(public.Type, asked.Operations); err != nil {
			return err
		}
		version.Detail, err = json.Marshal(public)
		return err
	})
}

// release refuses to export a key.
func (k keys) release(*exchange) (int, any, error) {
	return 0, nil, forbidden("KeyNotExportable", "Operation release is not allowed: keys of this vault are not exportable.")
}

// keyBundle is a key in answers, and keyItem in lists.
type keyBundle struct {
	Key        *jwk.Public       `json:"key"`
	Attributes attributes        `json:"attributes"`
	Tags       map[string]string `json:"tags,omitempty"`
	Managed    bool              `json:"managed,omitempty"`
	deletion
}

type keyItem struct {
	ID         string            `json:"kid"`
	Attributes attributes        `json:"attributes"`
	Tags       map[string]string `json:"tags,omitempty"`
	Managed    bool              `json:"managed,omitempty"`
	deletion
}

func (k keys) rendered(x *exchange, one found, as form) any {
	id, managed := k.id(x, one, as), one.keeper != k.kind
	if as != whole {
		return keyItem{id, x.vault.attributes(one.version), one.version.Tags, managed, k.deletion(x, one)}
	}
	public, err := publicOf(one.version)
	if err != nil {
		// The vault wrote it, so this is a record that somebody else changed: the answer lacks the key.
		k.Log.Error(err, "cannot render a key", "object", one.object.Name)
	} else {
		public.ID = id
	}
	return keyBundle{public, x.vault.attributes(one.version), one.version.Tags, managed, k.deletion(x, one)}
}

func publicOf(version *store.Version) (*jwk.Public, error) {
	var public jwk.Public
	if err := json.Unmarshal(version.Detail, &public); err != nil {
		return nil, fmt.Errorf("parse the public part of a key: %w", err)
	}
	return &public, nil
}
