package keyvault

import (
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/jwk"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// cryptography returns what keys do, by the last part of the path.
func (k keys) cryptography() routes {
	return routes{
		"encrypt":   {role.Encrypt, k.use(jwk.Encrypt, atItsTime, (*jwk.Key).Encrypt)},
		"decrypt":   {role.Decrypt, k.use(jwk.Decrypt, atAnyTime, (*jwk.Key).Decrypt)},
		"wrapkey":   {role.WrapKey, k.use(jwk.WrapKey, atItsTime, (*jwk.Key).Encrypt)},
		"unwrapkey": {role.UnwrapKey, k.use(jwk.UnwrapKey, atAnyTime, (*jwk.Key).Decrypt)},
		"sign":      {role.Sign, k.use(jwk.Sign, atItsTime, (*jwk.Key).Sign)},
		"verify":    {role.Verify, k.verify},
	}
}

// when says whether an operation is only for keys between their nbf and exp. Old data can be decrypted and verified at any time
// (learn.microsoft.com/azure/key-vault/keys/about-keys-details).
type when bool

const (
	atAnyTime when = false
	atItsTime when = true
)

// cryptographyRequest is the body of a request to use a key. The value and the digest are in base64url.
type cryptographyRequest struct {
	Algorithm string `json:"alg"`
	Value     string `json:"value"`
	Digest    string `json:"digest"`
}

// operationResult is the result of using a key. The value is in base64url.
type operationResult struct {
	ID    string `json:"kid"`
	Value string `json:"value"`
}

// maxOperand bounds what is signed, encrypted or decrypted, in bytes.
const maxOperand = 8 << 10

// use returns an operation with the private key of the version in the path.
func (k keys) use(operation jwk.Operation, at when, run func(*jwk.Key, string, []byte) ([]byte, error)) operation {
	return func(x *exchange) (int, any, error) {
		asked, value, err := readCryptography(x.request)
		if err != nil {
			return 0, nil, err
		}
		key, id, err := k.usable(x, operation, at)
		if err != nil {
			return 0, nil, err
		}
		result, err := run(key, asked.Algorithm, value)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, operationResult{id, jwk.Encode(result)}, nil
	}
}

// verify reports whether a signature is right.
func (k keys) verify(x *exchange) (int, any, error) {
	asked, signature, err := readCryptography(x.request)
	if err != nil {
		return 0, nil, err
	}
	digest, err := jwk.Decode("digest", asked.Digest, maxOperand)
	if err != nil {
		return 0, nil, err
	}
	key, _, err := k.usable(x, jwk.Verify, atAnyTime)
	if err != nil {
		return 0, nil, err
	}
	right, err := key.Verify(asked.Algorithm, digest, signature)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, map[string]bool{"value": right}, nil
}

func readCryptography(request *http.Request) (*cryptographyRequest, []byte, error) {
	var asked cryptographyRequest
	if err := readBody(request, maxBody, &asked); err != nil {
		return nil, nil, err
	}
	value, err := jwk.Decode("value", asked.Value, maxOperand)
	return &asked, value, err
}

// usable returns the private key of the version in the path and the version's ID, if it may be used for an operation.
func (k keys) usable(x *exchange, operation jwk.Operation, at when) (*jwk.Key, string, error) {
	one, err := k.find(x)
	if err != nil {
		return nil, "", err
	}
	if err := k.mayBeUsed(one.version, operation, at); err != nil {
		return nil, "", err
	}
	private, err := one.value(x.request.Context(), x.vault.UID)
	if err == nil && one.keeper != k.kind {
		private, err = keyBehind(private)
	}
	if err != nil {
		return nil, "", err
	}
	key, err := jwk.Parse(private)
	return key, k.id(x, one, whole), err
}

func (k keys) mayBeUsed(version *store.Version, operation jwk.Operation, at when) error {
	public, err := publicOf(version)
	if err != nil {
		return err
	}
	now := k.Now().Unix()
	switch {
	case version.Disabled:
		return forbidden("KeyDisabled", "Operation "+string(operation)+" is not allowed on a disabled key.")
	case at == atItsTime && version.NotBefore != nil && now < *version.NotBefore:
		return forbidden("KeyNotYetValid", "Operation "+string(operation)+" is not allowed on a key that is not yet valid.")
	case at == atItsTime && version.Expires != nil && now >= *version.Expires:
		return forbidden("KeyExpired", "Operation "+string(operation)+" is not allowed on an expired key.")
	}
	return jwk.Permit(public.Operations, operation)
}

// randomBytes answers with random bytes.
func randomBytes(x *exchange) (int, any, error) {
	var asked struct {
		Count int `json:"count"`
	}
	if err := readBody(x.request, maxBody, &asked); err != nil {
		return 0, nil, err
	}
	content, err := jwk.Random(asked.Count)
	return http.StatusOK, map[string]string{"value": jwk.Encode(content)}, err
}
