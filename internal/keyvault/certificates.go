package keyvault

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/certificate"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// certificates are the objects that have a key and a secret of their name behind them. The detail of an object is its policy.
type certificates struct {
	*kind

	// pending keeps what is being made.
	pending *store.Store

	// others are the kinds of what is behind certificates, which may also be there by themselves.
	others []*kind
}

func (s *Server) newCertificates() *certificates {
	k := &certificates{
		kind: s.newKind("certificate", "Certificate", kindActions{
			role.ReadCertificate, role.DeleteCertificate, role.RecoverCertificate, role.PurgeCertificate, role.BackupCertificate, role.RestoreCertificate,
		}),
		pending: &store.Store{Records: s.Records, Kind: "pending-certificate", Now: s.Now},
	}
	k.render = k.rendered
	k.own = routes{
		"POST /certificates/{name}/create":        {role.CreateCertificate, k.create},
		"GET /certificates/{name}/pending":        {role.ReadCertificate, k.readPending},
		"PATCH /certificates/{name}/pending":      {role.UpdateCertificate, k.cancelPending},
		"DELETE /certificates/{name}/pending":     {role.UpdateCertificate, k.deletePending},
		"POST /certificates/{name}/pending/merge": {role.CreateCertificate, k.merge},
		"POST /certificates/{name}/import":        {role.ImportCertificate, k.importPair},
		"GET /certificates/{name}":                {role.ReadCertificate, k.read},
		"GET /certificates/{name}/{version...}":   {role.ReadCertificate, k.read},
		"PATCH /certificates/{name}":              {role.UpdateCertificate, k.update},
		"PATCH /certificates/{name}/{version...}": {role.UpdateCertificate, k.update},
		"GET /certificates/{name}/policy":         {role.ReadCertificate, k.readPolicy},
		"PATCH /certificates/{name}/policy":       {role.UpdateCertificate, k.updatePolicy},
	}
	return k
}

// certificateRequest is the body of a request that creates, imports, merges or updates a certificate.
type certificateRequest struct {
	settings
	Policy   *certificate.Policy `json:"policy"`
	Value    string              `json:"value"`
	Password string              `json:"pwd"`

	// Chain has the certificates to merge, in DER.
	Chain [][]byte `json:"x5c"`
}

func readCertificate(request *http.Request) (*certificateRequest, error) {
	var asked certificateRequest
	if err := readBody(request, maxBody, &asked); err != nil {
		return nil, err
	}
	// When a certificate is valid is what it says itself.
	asked.Attributes.NotBefore, asked.Attributes.Expires = nil, nil
	return &asked, asked.check()
}

// importPair keeps a certificate that was made elsewhere, as a version.
func (k *certificates) importPair(x *exchange) (int, any, error) {
	asked, err := readCertificate(x.request)
	if err != nil {
		return 0, nil, err
	}
	var contentType string
	pair, err := heavy(x.request.Context(), func() (*certificate.KeyPair, error) {
		pair, form, err := certificate.Import(asked.Value, asked.Password)
		contentType = form
		return pair, err
	})
	if err != nil {
		return 0, nil, err
	}
	policy, err := certificate.ImportedPolicy(pair, contentType, cmp.Or(asked.Policy, &certificate.Policy{}))
	if err != nil {
		return 0, nil, err
	}
	object, err := k.keep(x, pair, policy, &asked.settings)
	return k.current(x, object, err)
}

// keep adds a certificate with its policy as a version.
func (k *certificates) keep(x *exchange, pair *certificate.KeyPair, policy *certificate.Policy, asked *settings) (*store.Object, error) {
	if err := k.refuseTaken(x); err != nil {
		return nil, err
	}
	version := k.newVersion()
	asked.applyTo(&version)
	value, err := describePair(&version, pair, policy)
	if err != nil {
		return nil, err
	}
	return k.add(x, version, value, func(object *store.Object) error { return k.setPolicy(object, policy) })
}

// refuseTaken refuses a name that a secret or a key has which belongs to no certificate.
func (k *certificates) refuseTaken(x *exchange) error {
	for _, other := range k.others {
		object, err := other.store.Get(x.request.Context(), x.vault.UID, x.name)
		if err != nil {
			return err
		}
		if object != nil {
			return conflict("", fmt.Sprintf("A %s with the name %s exists already, and is not of a certificate.", other.title, x.name))
		}
	}
	return nil
}

func (k *certificates) read(x *exchange) (int, any, error) {
	one, err := k.find(x)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, one, whole), nil
}

// update changes the attributes and tags of a version, and the policy of all.
func (k *certificates) update(x *exchange) (int, any, error) {
	asked, err := readCertificate(x.request)
	if err != nil {
		return 0, nil, err
	}
	var version *store.Version
	object, err := k.change(x, false, func(object *store.Object) error {
		if version = object.Version(x.version); version == nil {
			return k.notFound(x.name + "/" + cut(x.version))
		}
		asked.applyTo(version)
		version.Updated = k.Now().Unix()
		if asked.Policy == nil {
			return nil
		}
		return k.changePolicy(object, asked.Policy)
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.render(x, found{object, version, k.kind}, whole), nil
}

func (k *certificates) readPolicy(x *exchange) (int, any, error) {
	one, err := k.get(x, false)
	if err != nil {
		return 0, nil, err
	}
	policy, err := k.policyOf(x, one.object)
	return http.StatusOK, policy, err
}

func (k *certificates) updatePolicy(x *exchange) (int, any, error) {
	var changes certificate.Policy
	if err := readBody(x.request, maxBody, &changes); err != nil {
		return 0, nil, err
	}
	object, err := k.change(x, false, func(object *store.Object) error { return k.changePolicy(object, &changes) })
	if err != nil {
		return 0, nil, err
	}
	policy, err := k.policyOf(x, object)
	return http.StatusOK, policy, err
}

func (k *certificates) changePolicy(object *store.Object, changes *certificate.Policy) error {
	before, err := decodePolicy(object)
	if err != nil {
		return err
	}
	policy, err := before.Updated(changes)
	if err != nil {
		return err
	}
	policy.SetDefaults()
	if err := policy.Validate(); err != nil {
		return err
	}
	return k.setPolicy(object, policy)
}

// setPolicy keeps the policy of an object, with the times of its making and of now.
func (k *certificates) setPolicy(object *store.Object, policy *certificate.Policy) error {
	kept, now := *policy, k.Now().Unix()
	kept.ID, kept.Attributes.Created, kept.Attributes.Updated = "", now, now
	if object.Detail != nil {
		before, err := decodePolicy(object)
		if err != nil {
			return err
		}
		kept.Attributes.Created = before.Attributes.Created
	}
	var err error
	if object.Detail, err = json.Marshal(kept); err != nil {
		return fmt.Errorf("render the policy of a certificate: %w", err)
	}
	return nil
}

func decodePolicy(object *store.Object) (*certificate.Policy, error) {
	var policy certificate.Policy
	if err := json.Unmarshal(object.Detail, &policy); err != nil {
		return nil, fmt.Errorf("parse the policy of a certificate: %w", err)
	}
	return &policy, nil
}

// policyOf returns the policy of a certificate as answers have it.
func (k *certificates) policyOf(x *exchange, object *store.Object) (*certificate.Policy, error) {
	policy, err := decodePolicy(object)
	if err != nil {
		return nil, err
	}
	policy.ID = x.vault.url(k.plural, object.Name) + "/policy"
	return policy, nil
}

// certificateBundle is a certificate in answers and lists.
type certificateBundle struct {
	ID          string              `json:"id"`
	KeyID       string              `json:"kid,omitempty"`
	SecretID    string              `json:"sid,omitempty"`
	Thumbprint  string              `json:"x5t,omitempty"`
	CER         string              `json:"cer,omitempty"`
	ContentType string              `json:"contentType,omitempty"`
	Subject     string              `json:"subject,omitempty"`
	Attributes  attributes          `json:"attributes"`
	Tags        map[string]string   `json:"tags,omitempty"`
	Policy      *certificate.Policy `json:"policy,omitempty"`
	Pending     *pendingID          `json:"pending,omitempty"`
	deletion
}

type pendingID struct {
	ID string `json:"id"`
}

func (k *certificates) rendered(x *exchange, one found, as form) any {
	bundle := certificateBundle{
		ID: k.id(x, one, as), Attributes: x.vault.attributes(one.version), Tags: one.version.Tags, deletion: k.deletion(x, one),
	}
	leaf, err := leafOf(one.version)
	if err != nil {
		// The vault wrote it, so this is a record that somebody else changed: the answer lacks the certificate.
		k.Log.Error(err, "cannot render a certificate", "object", one.object.Name)
		return bundle
	}
	bundle.Thumbprint = certificate.Thumbprint(leaf)
	if as != whole {
		bundle.Subject = certificate.Subject(leaf)
		return bundle
	}
	version := one.object.Name + "/" + one.version.ID
	bundle.CER, bundle.ContentType = certificate.CER(leaf), one.version.ContentType
	bundle.KeyID, bundle.SecretID = x.vault.url("keys", version), x.vault.url("secrets", version)
	bundle.Pending = &pendingID{x.vault.url(k.plural, one.object.Name) + "/pending"}
	if bundle.Policy, err = k.policyOf(x, one.object); err != nil {
		k.Log.Error(err, "cannot render the policy of a certificate", "object", one.object.Name)
	}
	return bundle
}

func leafOf(version *store.Version) (*x509.Certificate, error) {
	detail, err := detailOf(version)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(detail.CER)
}
