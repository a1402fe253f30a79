package main

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"
)

// The ways to select an identity.
const (
	byDefault    = "default"
	byClientID   = "client_id"
	byObjectID   = "object_id"
	byResourceID = "resource_id"
)

// variable maps selectors to the environment variables with their IDs.
var variable = map[string]string{
	byClientID:   "CLIENT_ID",
	byObjectID:   "OBJECT_ID",
	byResourceID: "RESOURCE_ID",
}

// credential is a kind of credential of an SDK.
type credential struct {
	client    string
	module    string
	name      string
	selectors []string
	new       func(selector, id string) (ask, error)
}

// ask requests a token for a resource.
type ask func(ctx context.Context, resource string) (string, error)

const (
	azidentityModule = "github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	msalModule       = "github.com/AzureAD/microsoft-authentication-library-for-go"
)

var (
	everySelector = []string{byDefault, byClientID, byObjectID, byResourceID}
	defaultOnly   = []string{byDefault}
)

var (
	defaultAzureCredential     = credential{"go azidentity", azidentityModule, "DefaultAzureCredential", defaultOnly, newDefaultAzureCredential}
	workloadIdentityCredential = credential{"go azidentity", azidentityModule, "WorkloadIdentityCredential", defaultOnly, newWorkloadIdentityCredential}
)

// credentials ask IMDS.
var credentials = []credential{
	{"go azidentity", azidentityModule, "ManagedIdentityCredential", everySelector, newManagedIdentityCredential},
	defaultAzureCredential,
	{"msal-go", msalModule, "managedidentity.Client", everySelector, newMSALClient},
}

// modes map an argument to a credential that asks Entra ID if the environment says so.
var modes = map[string]credential{
	"workload-identity": workloadIdentityCredential,
	"default":           defaultAzureCredential,
}

func newManagedIdentityCredential(selector, id string) (ask, error) {
	options := map[string]*azidentity.ManagedIdentityCredentialOptions{
		byClientID:   {ID: azidentity.ClientID(id)},
		byObjectID:   {ID: azidentity.ObjectID(id)},
		byResourceID: {ID: azidentity.ResourceID(id)},
	}
	made, err := azidentity.NewManagedIdentityCredential(options[selector])
	return askOf(made), err
}

func newDefaultAzureCredential(string, string) (ask, error) {
	made, err := azidentity.NewDefaultAzureCredential(nil)
	return askOf(made), err
}

func newWorkloadIdentityCredential(string, string) (ask, error) {
	made, err := azidentity.NewWorkloadIdentityCredential(nil)
	return askOf(made), err
}

func askOf(made azcore.TokenCredential) ask {
	return func(ctx context.Context, resource string) (string, error) {
		token, err := made.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{resource + "/.default"}})
		return token.Token, err
	}
}

func newMSALClient(selector, id string) (ask, error) {
	identities := map[string]managedidentity.ID{
		byDefault:    managedidentity.SystemAssigned(),
		byClientID:   managedidentity.UserAssignedClientID(id),
		byObjectID:   managedidentity.UserAssignedObjectID(id),
		byResourceID: managedidentity.UserAssignedResourceID(id),
	}
	made, err := managedidentity.New(identities[selector])
	return func(ctx context.Context, resource string) (string, error) {
		result, err := made.AcquireToken(ctx, resource)
		return result.AccessToken, err
	}, err
}
