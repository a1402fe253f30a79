package main

import (
	"strings"
	"testing"
)

// Point 12 of the list that ends clients.md: .NET's DefaultAzureCredential takes the answer to its probe for "no identity"
// when it is pointed elsewhere than at 169.254.169.254, unless it is told which credential to use. So whoever reads how to
// point it is told that too.
func TestPoint12NETIsToldWhichCredentialToUse(t *testing.T) {
	t.Parallel()
	printed := start(t).printed
	told := strings.Index(printed, "AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential")
	if pointed := strings.Index(printed, "export AZURE_POD_IDENTITY_AUTHORITY_HOST="); told < 0 || pointed < told {
		t.Errorf("it is not told before it is pointed there:\n%s", printed)
	}
}
