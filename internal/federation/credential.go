package federation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// Credential is the federated identity credential that an identity needs in Entra ID.
type Credential struct {
	// Name is the credential's own name.
	Name string

	Issuer, Subject, Audience string

	// ResourceID is the identity's Azure Resource Manager ID; "" if it is not known.
	ResourceID string

	// ClientID is the identity's client ID.
	ClientID string
}

// maxCredentialName bounds a credential's name in Entra.
const maxCredentialName = 120

// CredentialFor returns the credential of an identity.
func (i Issuer) CredentialFor(identity *v1alpha1.ManagedIdentity, audience string) Credential {
	name := "kube-imds-" + identity.Name
	if i.Cluster != "" {
		name = "kube-imds-" + i.Cluster + "-" + identity.Name
	}
	return Credential{
		Name: name[:min(len(name), maxCredentialName)], Issuer: i.URL, Subject: i.Subject(identity.Name), Audience: audience,
		ResourceID: identity.Spec.ResourceID, ClientID: string(identity.Spec.ClientID),
	}
}

// CredentialOfAccount returns the credential that a ServiceAccount needs to assume an identity by its own tokens, which the cluster's
// issuer signs.
func CredentialOfAccount(issuer string, account types.NamespacedName, identity *v1alpha1.ManagedIdentity, audience string) Credential {
	subject := serviceaccount.MakeUsername(account.Namespace, account.Name)
	name := strings.NewReplacer(":", "-", ".", "-").Replace(strings.TrimPrefix(subject, serviceaccount.ServiceAccountUsernamePrefix))
	if len(name) > maxCredentialName {
		hash := sha256.Sum256([]byte(subject))
		name = name[:maxCredentialName-9] + "-" + hex.EncodeToString(hash[:4])
	}
	return Credential{
		Name: name, Issuer: issuer, Subject: subject, Audience: audience,
		ResourceID: identity.Spec.ResourceID, ClientID: string(identity.Spec.ClientID),
	}
}

// AzureCLI returns the command that creates the credential.
func (c Credential) AzureCLI() string {
	name, group, subscription := "IDENTITY_NAME", "RESOURCE_GROUP", ""
	if parts := strings.Split(c.ResourceID, "/"); c.isUserAssigned() {
		name, group, subscription = parts[8], parts[4], parts[2]
	}
	command := []string{
		"az identity federated-credential create", "--name " + quote(c.Name),
		"--identity-name " + quote(name), "--resource-group " + quote(group),
	}
	if subscription != "" {
		command = append(command, "--subscription "+quote(subscription))
	}
	return strings.Join(append(command,
		"--issuer "+quote(c.Issuer), "--subject "+quote(c.Subject), "--audiences "+quote(c.Audience)), " ")
}

// isUserAssigned reports whether the identity's resource ID is one of a user-assigned identity:
// /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME.
func (c Credential) isUserAssigned() bool {
	parts := strings.Split(c.ResourceID, "/")
	return len(parts) == 9 && strings.EqualFold(parts[7], "userAssignedIdentities")
}

// Bicep returns the resource of the credential, to be deployed to the identity's resource group.
func (c Credential) Bicep() string {
	return fmt.Sprintf(`// The identity with the client ID %s.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {
  name: '%s'
}

resource credential 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = {
  parent: identity
  name: '%s'
  properties: {
    issuer: '%s'
    subject: '%s'
    audiences: ['%s']
  }
}
`, c.ClientID, bicep(c.identityName()), bicep(c.Name), bicep(c.Issuer), bicep(c.Subject), bicep(c.Audience))
}

// Terraform returns the resource of the credential for the azurerm provider.
func (c Credential) Terraform() string {
	parent := c.ResourceID
	if !c.isUserAssigned() {
		parent = "IDENTITY_RESOURCE_ID"
	}
	return fmt.Sprintf(`# The identity with the client ID %s.
resource "azurerm_federated_identity_credential" %s {
  name      = %s
  parent_id = %s
  issuer    = %s
  subject   = %s
  audience  = [%s]
}
`, c.ClientID, terraform(strings.ReplaceAll(c.Name, ".", "-")), terraform(c.Name), terraform(parent), terraform(c.Issuer), terraform(c.Subject), terraform(c.Audience))
}

func (c Credential) identityName() string {
	if c.isUserAssigned() {
		return c.ResourceID[strings.LastIndexByte(c.ResourceID, '/')+1:]
	}
	return "IDENTITY_NAME"
}

// quote quotes a text for a POSIX shell, if it must be.
func quote(text string) string {
	isPlain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !isPlain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var (
	bicepEscapes     = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "${", `\${`, "\n", `\n`)
	terraformEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", "$${", "%{", "%%{", "\n", `\n`)
)

func bicep(text string) string { return bicepEscapes.Replace(text) }

func terraform(text string) string { return `"` + terraformEscapes.Replace(text) + `"` }
