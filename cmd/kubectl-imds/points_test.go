package main

import (
	"strings"
	"testing"
)

// Point 12 of the list that ends clients.md: .NET's DefaultAzureCredential reads the answer to its probe as "no identity"
// if it is address elsewhere than at 169.254.169.254, unless a variable names the credential to use. So the instructions
// have that variable too.
func TestPoint12InstructionsNameTheCredentialForNET(t *testing.T) {
	t.Parallel()
	printed := start(t).printed
	credential := strings.Index(printed, "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential")
	if address := strings.Index(printed, "export AZURE_POD_IDENTITY_AUTHORITY_HOST="); credential < 0 || address < credential {
		t.Errorf("the credential is not named before the address:\n%s", printed)
	}
}
