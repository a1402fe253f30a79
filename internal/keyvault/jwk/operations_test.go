package jwk

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

func TestCheckOperations(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		of          Type
		asked, want []Operation
	}{
		"RSA by default": {RSA, nil, []Operation{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}},
		"EC by default":  {EC, nil, []Operation{"sign", "verify"}},
		"none":           {EC, []Operation{}, []Operation{}},
		"some":           {RSA, []Operation{"wrapKey", "unwrapKey"}, []Operation{"wrapKey", "unwrapKey"}},
		"twice":          {EC, []Operation{"sign", "verify", "sign"}, []Operation{"sign", "verify"}},
	} {
		got, err := CheckOperations(test.of, test.asked)
		if err != nil || !slices.Equal(got, test.want) || got == nil {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
	for name, test := range map[string]struct {
		of    Type
		asked []Operation
		part  string
	}{
		"EC that wraps":  {EC, []Operation{"sign", "wrapKey", "unwrapKey"}, `Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify".`},
		"import":         {RSA, []Operation{"import"}, `"import". Supported values are "encrypt", "decrypt"`},
		"export":         {RSA, []Operation{"sign", "export"}, `"export"`},
		"another case":   {RSA, []Operation{"Sign"}, `"Sign"`},
		"an unknown one": {RSA, []Operation{"deriveKey"}, `"deriveKey"`},
		"an empty one":   {RSA, []Operation{""}, `""`},
		"a long one":     {RSA, []Operation{Operation(strings.Repeat("x", 1<<20))}, `"` + strings.Repeat("x", 32) + `".`},
		"very many":      {RSA, slices.Repeat([]Operation{"unknown-operation"}, 1<<20), `"unknown-operation"`},
	} {
		_, err := CheckOperations(test.of, test.asked)
		refused(t, name, err, test.part)
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

func TestPermit(t *testing.T) {
	t.Parallel()
	if err := Permit([]Operation{Sign, Verify}, Verify); err != nil {
		t.Error(err)
	}
	for _, operations := range [][]Operation{nil, {Sign, Encrypt}} {
		err := Permit(operations, Decrypt)
		refused, _ := errors.AsType[*refusal.Error](err)
		if refused == nil || *refused != (refusal.Error{Message: "Operation decrypt is not permitted on this key.", Inner: "KeyOperationForbidden", Forbidden: true}) {
			t.Errorf("%v: error = %v", operations, err)
		}
	}
}
