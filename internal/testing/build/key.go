package build

import (
	"testing"

	"github.com/kube-imds/kube-imds/internal/token"
)

// Key returns a new signing key.
func Key(t testing.TB) *token.Key {
	t.Helper()
	private, err := token.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
