package certificate

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Policy is how certificates of a name are made: Azure's CertificatePolicy in its JSON form.
type Policy struct {
	ID              string           `json:"id,omitempty"`
	Key             KeyProperties    `json:"key_props"`
	Secret          SecretProperties `json:"secret_props"`
	X509            X509Properties   `json:"x509_props"`
	LifetimeActions []LifetimeAction `json:"lifetime_actions,omitzero"`
	Issuer          Issuer           `json:"issuer"`
	Attributes      Attributes       `json:"attributes"`
}

// KeyProperties are those of the key behind a certificate.
type KeyProperties struct {
	// Exportable is whether the secret behind the certificate has the private key.
	Exportable *bool  `json:"exportable,omitempty"`
	Type       string `json:"kty,omitempty"`
	Size       int    `json:"key_size,omitempty"`

	// ReuseKey is whether the next version has the same key.
	ReuseKey *bool  `json:"reuse_key,omitempty"`
	Curve    string `json:"crv,omitempty"`
}

// The types of keys.
const (
	RSA = "RSA"
	EC  = "EC"
)

// SecretProperties are those of the secret behind a certificate.
type SecretProperties struct {
	ContentType string `json:"contentType,omitempty"`
}

// The content types of secrets.
const (
	PKCS12 = "application/x-pkcs12"
	PEM    = "application/x-pem-file"
)

// X509Properties are what the certificate says.
type X509Properties struct {
	// Subject is a distinguished name, as ParseName reads it.
	Subject        string           `json:"subject,omitempty"`
	Names          AlternativeNames `json:"sans,omitzero"`
	EKUs           []string         `json:"ekus,omitzero"`
	KeyUsage       []string         `json:"key_usage,omitzero"`
	ValidityMonths *int             `json:"validity_months,omitempty"`

	// BasicConstraints is in what Azure answers, though not in its reference.
	BasicConstraints *BasicConstraints `json:"basic_constraints,omitempty"`
}

// AlternativeNames are the subject alternative names.
type AlternativeNames struct {
	Emails   []string `json:"emails,omitempty"`
	DNSNames []string `json:"dns_names,omitempty"`
	UPNs     []string `json:"upns,omitempty"`

	// Since 2025-06-01-preview.
	URIs []string `json:"uris,omitempty"`
	IPs  []string `json:"ipAddresses,omitempty"`
}

// BasicConstraints say whether the certificate is of an authority.
type BasicConstraints struct {
	CA bool `json:"ca"`
}

// LifetimeAction is what happens near the end of a certificate.
type LifetimeAction struct {
	Trigger Trigger `json:"trigger"`
	Action  Action  `json:"action"`
}

// Trigger is when something happens. One of the two is set.
type Trigger struct {
	LifetimePercentage *int `json:"lifetime_percentage,omitempty"`
	DaysBeforeExpiry   *int `json:"days_before_expiry,omitempty"`
}

// Action is what happens: AutoRenew or EmailContacts.
type Action struct {
	Type string `json:"action_type"`
}

// The actions.
const (
	AutoRenew     = "AutoRenew"
	EmailContacts = "EmailContacts"
)

// Issuer is who signs.
type Issuer struct {
	Name             string `json:"name,omitempty"`
	CertificateType  string `json:"cty,omitempty"`
	CertTransparency *bool  `json:"cert_transparency,omitempty"`
}

// The issuers that are here.
const (
	// Self is the certificate's own key.
	Self = "Self"

	// Unknown is an authority that the caller asks: with a request for a certificate, whose answer is merged.
	Unknown = "Unknown"
)

// Attributes are the policy's own. Times are in seconds since 1970 UTC.
type Attributes struct {
	Enabled *bool `json:"enabled,omitempty"`
	Created int64 `json:"created,omitempty"`
	Updated int64 `json:"updated,omitempty"`
}

// SetDefaults sets what the policy does not say to what Azure takes.
func (p *Policy) SetDefaults() {
	p.Key.setDefaults()
	setDefault(&p.Secret.ContentType, PKCS12)
	setDefault(&p.Issuer.Name, Self)
	p.X509.setDefaults(p.Key.Type)
	if p.LifetimeActions == nil {
		p.LifetimeActions = []LifetimeAction{{Trigger{LifetimePercentage: new(80)}, Action{p.Issuer.defaultAction()}}}
	}
	if p.Attributes.Enabled == nil {
		p.Attributes.Enabled = new(true)
	}
}

func (k *KeyProperties) setDefaults() {
	if k.Type == "" && k.Curve != "" {
		k.Type = EC
	}
	setDefault(&k.Type, RSA)
	switch k.Type {
	case RSA:
		setDefault(&k.Size, 2048)
	case EC:
		for name, curve := range curves {
			if k.Size == curve.Params().BitSize {
				setDefault(&k.Curve, name)
			}
		}
		setDefault(&k.Curve, "P-256")
		if curve := curves[k.Curve]; curve != nil {
			setDefault(&k.Size, curve.Params().BitSize)
		}
	}
	if k.Exportable == nil {
		k.Exportable = new(true)
	}
	if k.ReuseKey == nil {
		k.ReuseKey = new(false)
	}
}

func (x *X509Properties) setDefaults(keyType string) {
	if x.EKUs == nil {
		x.EKUs = []string{"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"} // TLS servers and clients
	}
	if x.KeyUsage == nil {
		x.KeyUsage = []string{"digitalSignature"}
		if keyType == RSA {
			x.KeyUsage = append(x.KeyUsage, "keyEncipherment") // which EC keys cannot do
		}
	}
	if x.ValidityMonths == nil {
		x.ValidityMonths = new(12)
	}
	if x.BasicConstraints == nil {
		x.BasicConstraints = &BasicConstraints{}
	}
}

func setDefault[T comparable](value *T, to T) {
	var unset T
	if *value == unset {
		*value = to
	}
}

// defaultAction returns what happens by default: what somebody else signs cannot be renewed here.
func (i *Issuer) defaultAction() string {
	if i.Name == Self {
		return AutoRenew
	}
	return EmailContacts
}

// Updated returns the policy with what another one says instead.
func (p *Policy) Updated(changes *Policy) (*Policy, error) {
	before := *p
	if changes.Key.Type != "" && changes.Key.Type != p.Key.Type {
		before.Key.Size, before.Key.Curve = 0, "" // those of the other type
	}
	updated := &Policy{}
	for _, from := range []*Policy{&before, changes} {
		content, err := json.Marshal(from)
		if err != nil {
			return nil, fmt.Errorf("copy a policy: %w", err)
		}
		if err := json.Unmarshal(content, updated); err != nil {
			return nil, fmt.Errorf("update a policy: %w", err)
		}
	}
	return updated, nil
}

// KeyOperations returns the operations that the key behind the certificate is for.
func (p *Policy) KeyOperations() []string {
	var operations []string
	for _, usage := range p.X509.KeyUsage {
		for _, operation := range operationsOf[usage] {
			if p.Key.Type == EC && operation != "sign" && operation != "verify" || slices.Contains(operations, operation) {
				continue
			}
			operations = append(operations, operation)
		}
	}
	return operations
}

// operationsOf are the operations of keys by usage (Azure's table in "About Key Vault certificates").
var operationsOf = map[string][]string{
	"digitalSignature": {"sign", "verify"}, "nonRepudiation": {"sign", "verify"}, "keyCertSign": {"sign", "verify"}, "cRLSign": {"sign", "verify"},
	"keyEncipherment": {"wrapKey", "unwrapKey"}, "dataEncipherment": {"encrypt", "decrypt"}, "encipherOnly": {"encrypt"}, "decipherOnly": {"decrypt"},
}
