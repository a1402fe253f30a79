package dev

import (
	"context"
	"io"
	"text/template"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/token"
)

// introduction says how to use the process. All of it can be pasted into a shell.
type introduction struct {
	BaseURL string
	Secret  string
	Pod     *corev1.Pod
	Granted grant.Grant
	Claimed bool

	// Vaults is nil if none are served.
	Vaults *vaultsIntroduction
}

var text = template.Must(template.New("introduction").Parse(
	`# kube-imds dev: IMDS for a pod of ServiceAccount {{.Pod.Spec.ServiceAccountName}} in namespace {{.Pod.Namespace}}, on {{.BaseURL}}{{if .Claimed}} and http://169.254.169.254{{end}}

{{range .Granted.Identities}}# identity {{.Name}}{{if $.IsDefault .}} (the default){{end}}
#   tenant     {{.Status.TenantID}}
#   client     {{.Status.ClientID}}
#   principal  {{.Status.PrincipalID}}
{{with .Status.ResourceID}}#   resource   {{.}}
{{end}}#   issuer     {{$.Issuer .}}
{{else}}# no identity is granted
{{end}}{{range .Granted.Refusals}}# not granted: {{.Message}}
{{end}}
{{if .Claimed}}# All SDKs find it at 169.254.169.254, with no variable set. Where that address is out of reach, set ONE of the two:

{{else}}# Point SDKs at it with ONE of the two: where both are set, they take the second.

{{end}}# Python, JavaScript, Java, .NET, C++ and the Azure CLI. .NET's DefaultAzureCredential also needs
# AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential.
export AZURE_POD_IDENTITY_AUTHORITY_HOST={{.BaseURL}}

# Go and Rust, which do not read that one; the others take these too.
export IDENTITY_ENDPOINT={{.AppService}}
export IDENTITY_HEADER={{.Secret}}

{{with .Vaults}}{{range .Vaults}}# Key Vault {{.Name}} of namespace {{.Namespace}}: {{.URL}}
{{else}}# no Key Vault in the files
{{end}}{{with .Unresolved}}# This machine does not resolve the names of vaults. Add this line to /etc/hosts:
#   {{$.Vaults.Address}}{{range .}} {{.}}{{end}}
{{end}}
# Trust the authority of the vaults' certificate: Go, .NET and OpenSSL; Node; Python.
export SSL_CERT_FILE={{.CertificateFile}}
export NODE_EXTRA_CA_CERTS={{.CertificateFile}}
export REQUESTS_CA_BUNDLE={{.CertificateFile}}

{{end}}# Try it:
curl -H Metadata:true '{{.BaseURL}}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net'
`))

// introduce introduces a virtual machine, and the vaults if they are served.
func introduce(ctx context.Context, vm *virtualMachine, vaults *vaultServer, secret string, claimed bool) introduction {
	current := vm.current.Load()
	introduced := introduction{
		BaseURL: vm.issuers.BaseURL, Secret: secret, Pod: current.pod, Granted: current.granted, Claimed: claimed,
	}
	if vaults != nil {
		introduced.Vaults = introduceVaults(ctx, vaults, current.vaults)
	}
	return introduced
}

// print writes the instructions.
func (i introduction) print(to io.Writer) error { return text.Execute(to, i) }

// IsDefault reports whether an identity is the default.
func (i introduction) IsDefault(identity *v1alpha1.ManagedIdentity) bool {
	return identity == i.Granted.Default
}

// Issuer returns the URL of an identity's issuer.
func (i introduction) Issuer(identity *v1alpha1.ManagedIdentity) string {
	return token.IssuerURL(i.BaseURL, string(identity.Status.TenantID))
}

// AppService returns the URL of App Service's endpoint.
func (i introduction) AppService() string { return i.BaseURL + appServicePath }
