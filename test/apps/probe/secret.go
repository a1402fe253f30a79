package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// secret prints a secret that the Azure SDK read with default settings.
func secret(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("secret", flag.ContinueOnError)
	vault := flags.String("vault", "", "the `URL` of the vault")
	value := flags.String("set", "", "set it to this `value` before")
	timeout := flags.Duration("timeout", 30*time.Second, "give up after this `time`")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("secret takes one name, got %d", flags.NArg())
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return fmt.Errorf("make a credential: %w", err)
	}
	client, err := azsecrets.NewClient(*vault, credential, nil)
	if err != nil {
		return fmt.Errorf("make a client of %s: %w", *vault, err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if *value != "" {
		if _, err := client.SetSecret(ctx, flags.Arg(0), azsecrets.SetSecretParameters{Value: value}, nil); err != nil {
			return fmt.Errorf("set a secret: %w", err)
		}
	}
	got, err := client.GetSecret(ctx, flags.Arg(0), "", nil)
	if err != nil {
		return fmt.Errorf("get a secret: %w", err)
	}
	fmt.Println(*got.Value)
	return nil
}
