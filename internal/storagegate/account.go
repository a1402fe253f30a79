package storagegate

import (
	"strings"

	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// Service is a service of a storage account.
type Service string

// The services.
const (
	Blob  Service = "blob"
	Queue Service = "queue"
	Table Service = "table"
)

// Resource is the audience of tokens for any storage account.
const Resource = "https://storage.azure.com"

// Account is a storage account, as one of its services.
type Account struct {
	Namespace, Name string
	Service         Service

	// Host is the name by which it is asked, which begins with its own. The backend knows it by that.
	Host string

	TenantID string

	// SharedKey is whether signatures with an account key are admitted.
	SharedKey bool

	// Ready is whether the backend knows the account.
	Ready bool
}

// audiences returns the audiences of tokens for the account: those of Azure, and that of the host by which it is asked.
func (a *Account) audiences() []string {
	return []string{Resource, "https://" + a.Name + "." + string(a.Service) + ".core.windows.net", "https://" + a.Host}
}

// scope returns where an operation on a container, queue or table takes place; name is "" for the account itself.
func (a *Account) scope(name string) role.Scope {
	scope := role.Scope{Namespace: a.Namespace, StorageAccount: a.Name}
	if name != "" {
		scope.Object = role.Object{Kind: objectKinds[a.Service], Name: name}
	}
	return scope
}

// objectKinds are the kinds of what is in an account.
var objectKinds = map[Service]string{Blob: role.Containers, Queue: role.Queues, Table: role.Tables}

// challenge is the answer to a request without a token that is accepted.
func (a *Account) challenge() string {
	return "Bearer authorization_uri=https://login.microsoftonline.com/" + a.TenantID + "/oauth2/authorize resource_id=" + Resource
}

// serviceOf returns the service that a host name is of; "" for another name.
func serviceOf(host string) Service {
	_, rest, _ := strings.Cut(host, ".")
	name, _, _ := strings.Cut(rest, ".")
	switch service := Service(name); service {
	case Blob, Queue, Table:
		return service
	}
	return ""
}
