package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// useVault uses a vault by each library for Key Vault, at default options, and reports whether all operations succeeded.
func useVault(url string) bool {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return false
	}
	const modules = "github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/"
	return useEach(
		library{"go azsecrets", modules + "azsecrets", func(s *session) error { return useSecrets(s, url, credential) }},
		library{"go azkeys", modules + "azkeys", func(s *session) error { return useKeys(s, url, credential) }},
		library{"go azcertificates", modules + "azcertificates", func(s *session) error { return useCertificates(s, url, credential) }},
	)
}

func useSecrets(s *session, url string, credential azcore.TokenCredential) error {
	client, err := azsecrets.NewClient(url, credential, nil)
	if err != nil {
		return err
	}
	const name = "greeting"
	value := "hello"
	if err := s.do("secret set", func() error {
		_, err := client.SetSecret(s, name, azsecrets.SetSecretParameters{Value: &value}, nil)
		return err
	}); err != nil {
		return err
	}
	get := func() error {
		got, err := client.GetSecret(s, name, "", nil)
		if err == nil && *got.Value != value {
			err = fmt.Errorf("got %q", *got.Value)
		}
		return err
	}
	if err := s.do("secret get", get); err != nil {
		return err
	}
	if err := s.do("secret list", func() error { return findSecret(s, client, name) }); err != nil {
		return err
	}
	remove := func() error {
		if _, err := client.DeleteSecret(s, name, nil); err != nil {
			return err
		}
		return s.await(func() (bool, error) {
			_, err := client.GetDeletedSecret(s, name, nil)
			return found(err)
		})
	}
	if err := s.do("secret delete", remove); err != nil {
		return err
	}
	if err := s.do("secret recover", func() error {
		if _, err := client.RecoverDeletedSecret(s, name, nil); err != nil {
			return err
		}
		return s.await(func() (bool, error) { return found(get()) })
	}); err != nil {
		return err
	}
	return s.do("secret purge", func() error {
		if err := remove(); err != nil {
			return err
		}
		if _, err := client.PurgeDeletedSecret(s, name, nil); err != nil {
			return err
		}
		return s.await(func() (bool, error) {
			_, err := client.GetDeletedSecret(s, name, nil)
			there, err := found(err)
			return !there, err
		})
	})
}

// found reports whether an error says that something was found, or was not. Any other error is an error.
func found(err error) (bool, error) {
	var response *azcore.ResponseError
	if errors.As(err, &response) && response.StatusCode == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

func findSecret(ctx context.Context, client *azsecrets.Client, name string) error {
	for pager := client.NewListSecretPropertiesPager(nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, one := range page.Value {
			if one.ID.Name() == name {
				return nil
			}
		}
	}
	return fmt.Errorf("the list lacks %s", name)
}

func useKeys(s *session, url string, credential azcore.TokenCredential) error {
	client, err := azkeys.NewClient(url, credential, nil)
	if err != nil {
		return err
	}
	if err := useEC(s, client); err != nil {
		return err
	}
	return useRSA(s, client)
}

func useEC(s *session, client *azkeys.Client) error {
	const name = "signs"
	kind, curve, algorithm := azkeys.KeyTypeEC, azkeys.CurveNameP256, azkeys.SignatureAlgorithmES256
	digest := sha256.Sum256([]byte("an order"))
	var signature []byte
	if err := s.do("key create EC", func() error {
		_, err := client.CreateKey(s, name, azkeys.CreateKeyParameters{Kty: &kind, Curve: &curve}, nil)
		return err
	}); err != nil {
		return err
	}
	if err := s.do("key sign", func() error {
		signed, err := client.Sign(s, name, "", azkeys.SignParameters{Algorithm: &algorithm, Value: digest[:]}, nil)
		signature = signed.Result
		return err
	}); err != nil {
		return err
	}
	return s.do("key verify", func() error {
		verified, err := client.Verify(s, name, "", azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest[:], Signature: signature}, nil)
		if err == nil && !*verified.Value {
			err = errors.New("the signature is not valid")
		}
		return err
	})
}

func useRSA(s *session, client *azkeys.Client) error {
	const name = "wraps"
	kind, algorithm := azkeys.KeyTypeRSA, azkeys.EncryptionAlgorithmRSAOAEP256
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	var wrapped []byte
	if err := s.do("key create RSA", func() error {
		_, err := client.CreateKey(s, name, azkeys.CreateKeyParameters{Kty: &kind}, nil)
		return err
	}); err != nil {
		return err
	}
	if err := s.do("key wrap", func() error {
		result, err := client.WrapKey(s, name, "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: key}, nil)
		wrapped = result.Result
		return err
	}); err != nil {
		return err
	}
	return s.do("key unwrap", func() error {
		unwrapped, err := client.UnwrapKey(s, name, "", azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: wrapped}, nil)
		if err == nil && !bytes.Equal(unwrapped.Result, key) {
			err = errors.New("another key came out")
		}
		return err
	})
}

func useCertificates(s *session, url string, credential azcore.TokenCredential) error {
	client, err := azcertificates.NewClient(url, credential, nil)
	if err != nil {
		return err
	}
	const name = "site"
	issuer, subject, format := "Self", "CN=orders.example", "application/x-pem-file"
	if err := s.do("certificate create", func() error {
		if _, err := client.CreateCertificate(s, name, azcertificates.CreateCertificateParameters{CertificatePolicy: &azcertificates.CertificatePolicy{
			IssuerParameters:          &azcertificates.IssuerParameters{Name: &issuer},
			SecretProperties:          &azcertificates.SecretProperties{ContentType: &format},
			X509CertificateProperties: &azcertificates.X509CertificateProperties{Subject: &subject},
		}}, nil); err != nil {
			return err
		}
		return s.await(func() (bool, error) {
			operation, err := client.GetCertificateOperation(s, name, nil)
			return err == nil && *operation.Status == "completed", err
		})
	}); err != nil {
		return err
	}
	var certificate []byte
	if err := s.do("certificate get", func() error {
		got, err := client.GetCertificate(s, name, "", nil)
		certificate = got.CER
		return err
	}); err != nil {
		return err
	}
	return s.do("certificate secret", func() error {
		secrets, err := azsecrets.NewClient(url, credential, nil)
		if err != nil {
			return err
		}
		secret, err := secrets.GetSecret(s, name, "", nil)
		if err != nil {
			return err
		}
		pair, err := tls.X509KeyPair([]byte(*secret.Value), []byte(*secret.Value))
		if err == nil && !bytes.Equal(pair.Certificate[0], certificate) {
			err = errors.New("the secret has another certificate")
		}
		return err
	})
}
