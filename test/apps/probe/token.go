package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// token prints a token from the Azure SDK.
func token(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	resource := flags.String("resource", "https://vault.azure.net", "the `resource` that the token is for")
	clientID := flags.String("client-id", "", "ask for the identity with this client `ID`")
	byDefault := flags.Bool("default-credential", false, "use DefaultAzureCredential instead of ManagedIdentityCredential")
	timeout := flags.Duration("timeout", time.Minute, "give up after this `time`")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	credential, err := newCredential(*byDefault, *clientID)
	if err != nil {
		return fmt.Errorf("make a credential: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	answer, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{*resource + "/.default"}})
	if err != nil {
		return fmt.Errorf("get a token for %s: %w", *resource, err)
	}
	fmt.Println(answer.Token)
	return nil
}

func newCredential(byDefault bool, clientID string) (azcore.TokenCredential, error) {
	if byDefault {
		return azidentity.NewDefaultAzureCredential(nil)
	}
	var options azidentity.ManagedIdentityCredentialOptions
	if clientID != "" {
		options.ID = azidentity.ClientID(clientID)
	}
	return azidentity.NewManagedIdentityCredential(&options)
}

// requestLine is a line that requests prints.
type requestLine struct {
	Time     time.Time `json:"time"`
	Resource string    `json:"resource"`
	Status   int       `json:"status"`
	Server   string    `json:"server,omitempty"`
	Error    string    `json:"error,omitempty"`
}

// requests sends IMDS token requests until it is stopped, each for a new resource, and
// prints a line for each response. It does not retry, so that every response is printed.
func requests(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("requests", flag.ContinueOnError)
	interval := flags.Duration("interval", 250*time.Millisecond, "`time` between two requests")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	ticker := time.NewTicker(*interval)
	defer ticker.Stop()
	lines := json.NewEncoder(os.Stdout)
	for n := 0; ; n++ {
		resource := fmt.Sprintf("https://resource-%d.example", n)
		answer := send(ctx, request{url: tokenURL(resource), headers: []string{"Metadata: true"}, timeout: 15 * time.Second})
		line := requestLine{time.Now(), resource, answer.Status, answer.Headers.Get("Server"), answer.Error}
		if err := lines.Encode(line); err != nil {
			return fmt.Errorf("print a line: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func tokenURL(resource string) string {
	return "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + resource
}
