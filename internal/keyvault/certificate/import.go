package certificate

import (
	"bytes"
	"encoding/base64"
	"math"
	"time"
)

// The bounds of what is imported.
const (
	// maxImport bounds PFX and PEM, and maxKey a private key in it: reading keys of any size would take long.
	maxImport = 64 << 10
	maxKey    = 8 << 10

	maxPassword = 1024
)

// Import reads the value of a request to import: PFX in base64, or PEM as it is or in base64. It returns the content type that it has.
func Import(value, password string) (pair *KeyPair, contentType string, err error) {
	if len(value) > 2*maxImport || len(password) > maxPassword {
		return nil, "", tooLarge()
	}
	content := []byte(value)
	if !isPEM(content) {
		if content, err = base64.StdEncoding.DecodeString(value); err != nil {
			return nil, "", refuse(Malformed, "The certificate is neither base64 nor PEM.")
		}
	}
	if isPEM(content) {
		pair, err = FromPEM(content)
		return pair, PEM, err
	}
	pair, err = FromPFX(content, password)
	return pair, PKCS12, err
}

func tooLarge() *Refusal {
	return refuse(TooLarge, "The certificate is larger than %d bytes, or its password longer than %d.", maxImport, maxPassword)
}

// begin is what every block of PEM begins with.
const begin = "-----BEGIN "

func isPEM(content []byte) bool { return bytes.Contains(content, []byte(begin)) }

// ImportedPolicy returns the policy of an imported certificate: what the certificate says of itself, and of what was asked for the rest.
func ImportedPolicy(pair *KeyPair, contentType string, asked *Policy) (*Policy, error) {
	leaf := pair.Leaf()
	key, err := propertiesOf(pair.Key)
	if err != nil {
		return nil, err
	}
	key.Exportable, key.ReuseKey = asked.Key.Exportable, asked.Key.ReuseKey
	policy := &Policy{
		Key: key, Secret: asked.Secret, Issuer: asked.Issuer, LifetimeActions: asked.LifetimeActions, Attributes: asked.Attributes,
		X509: X509Properties{
			Subject: Subject(leaf), Names: alternativeNamesOf(leaf), EKUs: ekusOf(leaf), KeyUsage: usagesOf(leaf),
			ValidityMonths: new(monthsBetween(leaf.NotBefore, leaf.NotAfter)), BasicConstraints: &BasicConstraints{CA: leaf.IsCA},
		},
	}
	setDefault(&policy.Secret.ContentType, contentType)
	setDefault(&policy.Issuer.Name, Unknown)
	policy.SetDefaults()
	return policy, nil
}

// monthsBetween returns about how many months there are between two times, in the bounds of a policy.
func monthsBetween(from, to time.Time) int {
	const month = 365.2425 / 12 * 24
	months := math.Round(to.Sub(from).Hours() / month)
	return int(max(1, min(months, maxMonths)))
}
