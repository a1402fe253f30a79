// Command app is an application as it would run in Azure: it asks the Azure SDK for tokens and knows of nothing
// else. It has no address, no secret and no setting that points the SDK anywhere.
//
// It shows what it gets. It verifies each token as a resource server does, with the keys that the token's issuer
// publishes, and prints the claims, never the token. Then it reads a secret of a Key Vault and a blob, if its environment names them.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

// run gets and shows a token with each credential, and again after every pause. Without a pause it does so once.
func run(ctx context.Context) error {
	settings, err := settingsFrom(os.Getenv)
	if err != nil {
		return err
	}
	if settings.greeting != "" {
		return write(ctx, settings)
	}
	credentials, err := newCredentials()
	if err != nil {
		return err
	}
	for {
		err := showAll(ctx, settings, credentials)
		if settings.pause == 0 {
			return err
		}
		if err != nil {
			fmt.Println(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settings.pause):
		}
	}
}

// patience is how long one round may take: the SDK retries for about a minute.
const patience = 3 * time.Minute

// namedCredential is a way of the Azure SDK to get tokens.
type namedCredential struct {
	name string
	azcore.TokenCredential
}

// newCredentials makes the two credentials that applications in Azure mostly use, without options.
func newCredentials() ([]namedCredential, error) {
	managed, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("make a ManagedIdentityCredential: %w", err)
	}
	standard, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("make a DefaultAzureCredential: %w", err)
	}
	return []namedCredential{
		{"ManagedIdentityCredential", managed},
		{"DefaultAzureCredential", standard},
	}, nil
}

func showAll(ctx context.Context, settings settings, credentials []namedCredential) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, credential := range credentials {
		claims, err := getVerified(ctx, settings, credential)
		if err != nil {
			return fmt.Errorf("%s: %w", credential.name, err)
		}
		fmt.Printf("%s: a token for %s, its signature verified with its issuer's published keys\n%s",
			credential.name, settings.resource, claims)
	}
	if settings.vault != "" {
		if err := showSecret(ctx, settings.vault); err != nil {
			return err
		}
	}
	if settings.blobs != "" {
		return showBlob(ctx, settings.blobs)
	}
	return nil
}

// write sets the secret and writes the blob that others read.
func write(ctx context.Context, settings settings) error {
	if err := setSecret(ctx, settings.vault, settings.greeting); err != nil {
		return err
	}
	return setBlob(ctx, settings.blobs, settings.greeting)
}

// getVerified gets a token and verifies it.
func getVerified(ctx context.Context, settings settings, credential azcore.TokenCredential) (claims, error) {
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{settings.resource + "/.default"}})
	if err != nil {
		return claims{}, err
	}
	return verify(ctx, settings, token.Token)
}
