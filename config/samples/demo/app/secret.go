package main

import (
	"context"
	"fmt"

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
	value, err := awaitRead(ctx, func() (string, error) {
		secret, err := vault.GetSecret(ctx, secretName, "", nil)
		if err != nil {
			return "", err
		}
		return *secret.Value, nil
	})
	return show("Key Vault: the secret "+secretName, value, err)
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
