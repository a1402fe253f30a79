package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clientsPath is the folder of the clients: programs that use a published SDK.
const clientsPath = "../sdks/clients"

// The resources that every client requests tokens for.
var sdkResources = []string{"https://vault.azure.net", "https://storage.azure.com/"}

// selectors are the ways to select an identity; the default one needs no parameter.
const (
	byDefault    = "default"
	byClientID   = "client_id"
	byObjectID   = "object_id"
	byResourceID = "resource_id"
)

var (
	everySelector = []string{byDefault, byClientID, byObjectID, byResourceID}
	defaultOnly   = []string{byDefault}
)

// sdkCredential is a credential that a client must try.
type sdkCredential struct {
	client, credential string
	selectors          []string

	// probes reports whether the first request has no Metadata header, to detect IMDS.
	probes bool
}

// sdkClients maps the folders of clients to the credentials that each must try.
var sdkClients = map[string][]sdkCredential{
	"go": {
		{"go azidentity", "ManagedIdentityCredential", everySelector, false},
		{"go azidentity", "DefaultAzureCredential", defaultOnly, true},
		{"msal-go", "managedidentity.Client", everySelector, false},
	},
	"python": {
		{"python azure-identity", "ManagedIdentityCredential", everySelector, false},
		{"python azure-identity", "DefaultAzureCredential", defaultOnly, true},
		{"python azure-identity aio", "ManagedIdentityCredential", everySelector, false},
		{"python azure-identity aio", "DefaultAzureCredential", defaultOnly, true},
		{"msal-python", "ManagedIdentityClient", everySelector, false},
	},
	"node": {
		{"js @azure/identity", "ManagedIdentityCredential", everySelector, false},
		{"js @azure/identity", "DefaultAzureCredential", defaultOnly, true},
		{"msal-node", "ManagedIdentityApplication", everySelector, false},
	},
	"java": {
		{"java azure-identity", "ManagedIdentityCredential", everySelector, false},
		{"java azure-identity", "DefaultAzureCredential", defaultOnly, true},
		{"msal4j", "ManagedIdentityApplication", everySelector, false},
	},
	"rust": {
		{"rust azure_identity", "ManagedIdentityCredential", everySelector, false},
	},
	"spring": {}, // uses a vault alone
	"azurecli": {
		{"az", "az login --identity", everySelector, false},
	},
	"dotnet": {
		{"csharp azure-identity", "ManagedIdentityCredential", everySelector, false},
		{"csharp azure-identity", "DefaultAzureCredential", defaultOnly, true},
	},
	"dotnet-mcp": {
		{"csharp azmcp", "ManagedIdentityCredential", []string{byDefault, byClientID}, true},
		{"csharp azmcp", "DefaultAzureCredential", defaultOnly, true},
	},
	"azcopy": {}, // uses a storage account alone
}

// managementOnly holds clients that request tokens for Azure Resource Manager only, with which they list subscriptions
// there. In their pods its name resolves to a stand-in.
var managementOnly = []string{"dotnet-mcp"}

const (
	managementHost     = "management.azure.com"
	managementResource = "https://" + managementHost + "/"
)

// resourcesOf returns the resources that a client requests tokens for, in order.
func resourcesOf(client, selector string) []string {
	switch {
	case slices.Contains(managementOnly, client):
		return []string{managementResource}
	case selector == byDefault:
		return sdkResources
	}
	return sdkResources[:1]
}

// entrypoint returns the command of a client's image.
func entrypoint(t *testing.T, client string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(clientsPath, client, "image.json"))
	must(t, err, "read the client %s", client)
	var image struct{ Entrypoint []string }
	must(t, json.Unmarshal(content, &image), "read the client %s", client)
	return image.Entrypoint
}

// builtClients returns the clients whose images are in the cluster: SDK_CLIENTS names them, separated by blanks.
func builtClients(t *testing.T) []string {
	t.Helper()
	built := strings.Fields(os.Getenv("SDK_CLIENTS"))
	if len(built) == 0 {
		t.Skip("SDK_CLIENTS is not set: run `make sdk-matrix`")
	}
	for _, client := range built {
		if sdkClients[client] == nil {
			t.Fatalf("unknown client %q: add it to sdkClients", client)
		}
	}
	slices.Sort(built)
	return built
}

// TestEveryClientIsInTheMatrix compares the folders with the table.
func TestEveryClientIsInTheMatrix(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(filepath.Join(clientsPath, "*", "image.json"))
	must(t, err, "find the clients")
	if len(found) != len(sdkClients) {
		t.Errorf("got %d clients, %d in the table", len(found), len(sdkClients))
	}
	for _, path := range found {
		if client := filepath.Base(filepath.Dir(path)); sdkClients[client] == nil {
			t.Errorf("client %s is not in the table", client)
		}
	}
}
