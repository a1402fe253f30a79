package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// secretName is the secret that the sample sets and reads.
const secretName = "greeting"

// newVault returns a client of a Key Vault, at default settings.
func newVault(url string) (*azsecrets.Client, error) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("make a DefaultAzureCredential: %w", err)
	}
	return azsecrets.NewClient(url, credential, nil)
}

// showSecret reads the secret and prints it, or what Azure's API says against that.
func showSecret(ctx context.Context, url string) error {
	vault, err := newVault(url)
	if err != nil {
		return err
	}
	secret, err := awaitSecret(ctx, vault)
	if failed, ok := errors.AsType[*azcore.ResponseError](err); ok {
		fmt.Printf("Key Vault: the secret %s cannot be read\n%v\n", secretName, failed)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the secret %s: %w", secretName, err)
	}
	fmt.Printf("Key Vault: the secret %s is %q\n  %s\n", secretName, *secret.Value, *secret.ID)
	return nil
}

// awaitSecret reads the secret as soon as somebody has set it.
func awaitSecret(ctx context.Context, vault *azsecrets.Client) (azsecrets.GetSecretResponse, error) {
	for {
		secret, err := vault.GetSecret(ctx, secretName, "", nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusNotFound {
			return secret, err
		}
		select {
		case <-ctx.Done():
			return secret, err
		case <-time.After(2 * time.Second):
		}
	}
}

// setSecret sets the secret.
func setSecret(ctx context.Context, url, value string) error {
	vault, err := newVault(url)
	if err != nil {
		return err
	}
	set, err := vault.SetSecret(ctx, secretName, azsecrets.SetSecretParameters{Value: &value}, nil)
	if err != nil {
		return fmt.Errorf("set the secret %s: %w", secretName, err)
	}
	fmt.Printf("Key Vault: set the secret %s\n  %s\n", secretName, *set.ID)
	return nil
}
