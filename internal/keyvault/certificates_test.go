package keyvault

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func certificateClient(t *testing.T, f *fixture) *azcertificates.Client {
	t.Helper()
	client, err := azcertificates.NewClient(vaultURL, credential(f.token(t)), &azcertificates.ClientOptions{ClientOptions: f.options()})
	must(t, err, "make a client")
	return client
}

func secretClient(t *testing.T, f *fixture) *azsecrets.Client {
	t.Helper()
	client, err := azsecrets.NewClient(vaultURL, credential(f.token(t)), &azsecrets.ClientOptions{ClientOptions: f.options()})
	must(t, err, "make a client")
	return client
}

// selfSigned returns a policy, after changes.
func selfSigned(changes ...func(*azcertificates.CertificatePolicy)) azcertificates.CreateCertificateParameters {
	policy := &azcertificates.CertificatePolicy{
		IssuerParameters:          &azcertificates.IssuerParameters{Name: new("Self")},
		X509CertificateProperties: &azcertificates.X509CertificateProperties{Subject: new("CN=orders.example"), ValidityInMonths: new(int32(10))},
		SecretProperties:          &azcertificates.SecretProperties{ContentType: new("application/x-pem-file")},
		KeyProperties:             &azcertificates.KeyProperties{},
	}
	for _, change := range changes {
		change(policy)
	}
	return azcertificates.CreateCertificateParameters{CertificatePolicy: policy, Tags: map[string]*string{"team": new("retail")}}
}

// A certificate has a key and a secret of its name behind it, and all three are one.
func TestCertificateKeyAndSecretAreOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	client := certificateClient(t, f)
	var answer *http.Response
	ctx := policy.WithCaptureResponse(t.Context(), &answer)
	operation, err := client.CreateCertificate(ctx, "tls", selfSigned(), nil)
	must(t, err, "create a certificate")
	location := vaultURL + "/certificates/tls/pending?api-version=" + answer.Request.URL.Query().Get("api-version") + "&request_id=" + *operation.RequestID
	if got := answer.Header; got.Get("Location") != location || got.Get("Retry-After") != "0" {
		t.Errorf("header = %v, want Location %s, Retry-After 0", got, location)
	}
	if *operation.Status != "inProgress" || operation.Target != nil {
		t.Errorf("operation = %+v: the SDK for Python has no result of what is completed at once", operation.CertificateOperation)
	}
	pending, err := client.GetCertificateOperation(ctx, "tls", nil)
	must(t, err, "read the operation")
	if *pending.RequestID != *operation.RequestID || *pending.Status != "completed" || *pending.Target != vaultURL+"/certificates/tls" {
		t.Errorf("pending = %+v", pending.CertificateOperation)
	}
	read, err := client.GetCertificate(ctx, "tls", "", nil)
	must(t, err, "read it")
	leaf, err := x509.ParseCertificate(read.CER)
	must(t, err, "parse it")
	version := read.ID.Version()
	if leaf.Subject.CommonName != "orders.example" || *read.KID != azcertificates.ID(vaultURL+"/keys/tls/"+version) ||
		*read.SID != azcertificates.ID(vaultURL+"/secrets/tls/"+version) || !read.Attributes.Expires.Equal(leaf.NotAfter) || *read.Tags["team"] != "retail" ||
		*read.Policy.X509CertificateProperties.ValidityInMonths != 10 || len(read.X509Thumbprint) != 20 {
		t.Errorf("certificate = %+v", read.Certificate)
	}

	secret, err := secretClient(t, f).GetSecret(ctx, "tls", version, nil)
	must(t, err, "read the secret behind it")
	block, rest := pem.Decode([]byte(*secret.Value))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err, "parse the private key")
	if public, ok := leaf.PublicKey.(*rsa.PublicKey); !ok || !public.Equal(private.(crypto.Signer).Public()) {
		t.Error("the secret has another key")
	}
	if block, _ := pem.Decode(rest); string(block.Bytes) != string(leaf.Raw) || !*secret.Managed || *secret.ContentType != "application/x-pem-file" {
		t.Errorf("secret = %+v", secret.Secret)
	}

	digest := sha256.Sum256([]byte("order"))
	signed, err := keyClient(t, f).Sign(ctx, "tls", "", azkeys.SignParameters{Algorithm: new(azkeys.SignatureAlgorithmRS256), Value: digest[:]}, nil)
	must(t, err, "sign with the key behind it")
	if err := rsa.VerifyPKCS1v15(leaf.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signed.Result); err != nil {
		t.Errorf("the signature: %v", err)
	}
	key, err := keyClient(t, f).GetKey(ctx, "tls", version, nil)
	must(t, err, "read the key behind it")
	if !*key.Managed || key.Key.D != nil || !key.Attributes.Expires.Equal(leaf.NotAfter) {
		t.Errorf("key = %+v", key.KeyBundle)
	}
}

// What belongs to a certificate is changed with the certificate alone.
func TestManagedObjectsRefuseChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	ctx, secrets, keys := t.Context(), secretClient(t, f), keyClient(t, f)
	_, err := certificateClient(t, f).CreateCertificate(ctx, "tls", selfSigned(), nil)
	must(t, err, "create a certificate")
	for name, err := range map[string]error{
		"set":    failure(secrets.SetSecret(ctx, "tls", azsecrets.SetSecretParameters{Value: new("x")}, nil)),
		"delete": failure(secrets.DeleteSecret(ctx, "tls", nil)),
		"update": failure(secrets.UpdateSecretProperties(ctx, "tls", "", azsecrets.UpdateSecretPropertiesParameters{ContentType: new("x")}, nil)),
		"backup": failure(secrets.BackupSecret(ctx, "tls", nil)),
	} {
		wantError(t, name, err, http.StatusForbidden, "SecretManagedByKeyVault")
	}
	for name, err := range map[string]error{
		"create": failure(keys.CreateKey(ctx, "tls", keyKinds["p-256"], nil)),
		"delete": failure(keys.DeleteKey(ctx, "tls", nil)),
		"rotate": failure(keys.RotateKey(ctx, "tls", nil)),
		"policy": failure(keys.GetKeyRotationPolicy(ctx, "tls", nil)),
	} {
		wantError(t, name, err, http.StatusForbidden, "KeyManagedByKeyVault")
	}
	page, err := secrets.NewListSecretPropertiesPager(nil).NextPage(ctx)
	must(t, err, "list the secrets")
	if len(page.Value) != 1 || !*page.Value[0].Managed || page.Value[0].ID.Version() != "" {
		t.Errorf("secrets: %+v", page.Value)
	}
}

// The name of a secret or a key is not given to a certificate.
func TestCertificateTakesNoName(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	ctx, client := t.Context(), certificateClient(t, f)
	_, err := secretClient(t, f).SetSecret(ctx, "secret", azsecrets.SetSecretParameters{Value: new("x")}, nil)
	must(t, err, "set a secret")
	_, err = keyClient(t, f).CreateKey(ctx, "key", keyKinds["p-256"], nil)
	must(t, err, "create a key")
	for _, name := range []string{"secret", "key"} {
		wantError(t, name, failure(client.CreateCertificate(ctx, name, selfSigned(), nil)), http.StatusConflict, "exists already")
	}
}

// With an authority of the caller's, the answer is a request for a certificate, and what the authority makes of it is merged.
func TestCertificateOfAnotherAuthority(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCertificatesOfficer)
	client, ctx := certificateClient(t, f), t.Context()
	asked := selfSigned(func(policy *azcertificates.CertificatePolicy) { policy.IssuerParameters.Name = new("Unknown") })
	operation, err := client.CreateCertificate(ctx, "signed", asked, nil)
	must(t, err, "ask for a certificate")
	if *operation.Status != "inProgress" {
		t.Errorf("operation = %+v", operation.CertificateOperation)
	}
	_, err = client.GetCertificate(ctx, "signed", "", nil)
	wantError(t, "one that is not there yet", err, http.StatusNotFound, "CertificateNotFound")
	request, err := x509.ParseCertificateRequest(operation.CSR)
	must(t, err, "parse the request")
	must(t, request.CheckSignature(), "check the request")

	authority, authorityKey := newAuthority(t)
	_, err = client.MergeCertificate(ctx, "signed", azcertificates.MergeCertificateParameters{X509Certificates: [][]byte{authority.Raw}}, nil)
	wantError(t, "another key's certificate", err, http.StatusBadRequest, "BadParameter")
	leaf := issue(t, &x509.Certificate{Subject: request.Subject}, authority, request.PublicKey, authorityKey)
	merged, err := client.MergeCertificate(ctx, "signed", azcertificates.MergeCertificateParameters{X509Certificates: [][]byte{leaf, authority.Raw}}, nil)
	must(t, err, "merge the answer")
	if string(merged.CER) != string(leaf) || *merged.Tags["team"] != "retail" {
		t.Errorf("merged = %+v", merged.Certificate)
	}
	_, err = client.MergeCertificate(ctx, "signed", azcertificates.MergeCertificateParameters{X509Certificates: [][]byte{leaf}}, nil)
	wantError(t, "a second time", err, http.StatusBadRequest, "completed")
}

func TestPendingCertificateIsGivenUp(t *testing.T) {
	t.Parallel()
	client, ctx := certificateClient(t, newFixture(t, v1alpha1.KeyVaultCertificatesOfficer)), t.Context()
	asked := selfSigned(func(policy *azcertificates.CertificatePolicy) { policy.IssuerParameters.Name = new("Unknown") })
	_, err := client.CreateCertificate(ctx, "given-up", asked, nil)
	must(t, err, "ask for a certificate")
	cancelled, err := client.UpdateCertificateOperation(ctx, "given-up", azcertificates.UpdateCertificateOperationParameter{CancellationRequested: new(true)}, nil)
	must(t, err, "cancel it")
	if *cancelled.Status != "cancelled" || !*cancelled.CancellationRequested {
		t.Errorf("cancelled = %+v", cancelled.CertificateOperation)
	}
	_, err = client.UpdateCertificateOperation(ctx, "given-up", azcertificates.UpdateCertificateOperationParameter{CancellationRequested: new(true)}, nil)
	wantError(t, "a second time", err, http.StatusForbidden, "cancelled")
	_, err = client.DeleteCertificateOperation(ctx, "given-up", nil)
	must(t, err, "delete the operation")
	_, err = client.GetCertificateOperation(ctx, "given-up", nil)
	wantError(t, "a deleted operation", err, http.StatusNotFound, "PendingCertificateNotFound")
	asked.CertificatePolicy.IssuerParameters.Name = new("DigiCert")
	_, err = client.CreateCertificate(ctx, "given-up", asked, nil)
	wantError(t, "an authority that is not here", err, http.StatusBadRequest, "issuer")
}

func TestCertificatesAreImported(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	client, ctx := certificateClient(t, f), t.Context()
	certificate, key := newAuthority(t)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err, "encode the key")
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	pfx, err := pkcs12.Modern.Encode(key, certificate, nil, "pass")
	must(t, err, "encode a PFX")
	inBase64 := base64.StdEncoding.EncodeToString(pfx)
	for name, test := range map[string]struct {
		parameters  azcertificates.ImportCertificateParameters
		contentType string
	}{
		"pem": {azcertificates.ImportCertificateParameters{Base64EncodedCertificate: &text, CertificatePolicy: &azcertificates.CertificatePolicy{
			SecretProperties: &azcertificates.SecretProperties{ContentType: new("application/x-pem-file")},
		}}, "application/x-pem-file"},
		"pfx": {azcertificates.ImportCertificateParameters{Base64EncodedCertificate: &inBase64, Password: new("pass")}, "application/x-pkcs12"},
	} {
		imported, err := client.ImportCertificate(ctx, name, test.parameters, nil)
		must(t, err, "import "+name)
		if string(imported.CER) != string(certificate.Raw) || *imported.Policy.SecretProperties.ContentType != test.contentType {
			t.Errorf("%s: imported %+v", name, imported.Certificate)
		}
		secret, err := secretClient(t, f).GetSecret(ctx, name, "", nil)
		must(t, err, "read the secret of "+name)
		if *secret.ContentType != test.contentType {
			t.Errorf("%s: content type %s", name, *secret.ContentType)
		}
		if name == "pfx" {
			content, err := base64.StdEncoding.DecodeString(*secret.Value)
			must(t, err, "decode the secret")
			if _, found, _, err := pkcs12.DecodeChain(content, ""); err != nil || string(found.Raw) != string(certificate.Raw) {
				t.Errorf("the secret has %v, error %v", found, err)
			}
		}
	}
	_, err = client.ImportCertificate(ctx, "wrong", azcertificates.ImportCertificateParameters{Base64EncodedCertificate: &inBase64, Password: new("wrong")}, nil)
	wantError(t, "a wrong password", err, http.StatusBadRequest, "BadParameter")
}

// All three are deleted, recovered, purged and restored together.
func TestCertificatesHaveALifeAsSecretsHave(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	client, secrets, keys, ctx := certificateClient(t, f), secretClient(t, f), keyClient(t, f), t.Context()
	_, err := client.CreateCertificate(ctx, "Life", selfSigned(), nil)
	must(t, err, "create a certificate")
	before, err := secrets.GetSecret(ctx, "life", "", nil)
	must(t, err, "read its secret")
	backup, err := client.BackupCertificate(ctx, "life", nil)
	must(t, err, "back it up")
	deleted, err := client.DeleteCertificate(ctx, "life", nil)
	must(t, err, "delete it")
	if *deleted.RecoveryID != vaultURL+"/deletedcertificates/Life" || len(deleted.CER) == 0 {
		t.Errorf("deleted = %+v", deleted.DeletedCertificate)
	}
	wantError(t, "its secret", failure(secrets.GetSecret(ctx, "life", "", nil)), http.StatusNotFound, "SecretNotFound")
	wantError(t, "its key", failure(keys.GetKey(ctx, "life", "", nil)), http.StatusNotFound, "KeyNotFound")
	wantError(t, "its name", failure(client.CreateCertificate(ctx, "life", selfSigned(), nil)), http.StatusConflict, "ObjectIsDeletedButRecoverable")
	wantError(t, "recovering its secret alone", failure(secrets.RecoverDeletedSecret(ctx, "life", nil)), http.StatusForbidden, "SecretManagedByKeyVault")
	_, err = client.RecoverDeletedCertificate(ctx, "life", nil)
	must(t, err, "recover it")
	_, err = secrets.GetSecret(ctx, "life", "", nil)
	must(t, err, "read its secret again")
	_, err = client.DeleteCertificate(ctx, "life", nil)
	must(t, err, "delete it again")
	_, err = client.PurgeDeletedCertificate(ctx, "life", nil)
	must(t, err, "purge it")
	_, err = client.RestoreCertificate(ctx, azcertificates.RestoreCertificateParameters{CertificateBackup: backup.Value}, nil)
	must(t, err, "restore it")
	after, err := secrets.GetSecret(ctx, "life", before.ID.Version(), nil)
	must(t, err, "read its restored secret")
	if *after.Value != *before.Value {
		t.Error("the restored secret is another one")
	}
}

// The next version is made by the policy as it is then, with the same key if it says so.
func TestPolicyMakesTheNextVersion(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultAdministrator)
	client, ctx := certificateClient(t, f), t.Context()
	current := func() (azcertificates.GetCertificateResponse, *x509.Certificate) {
		t.Helper()
		read, err := client.GetCertificate(ctx, "tls", "", nil)
		must(t, err, "read the certificate")
		leaf, err := x509.ParseCertificate(read.CER)
		must(t, err, "parse it")
		return read, leaf
	}
	_, err := client.CreateCertificate(ctx, "tls", selfSigned(), nil)
	must(t, err, "create a certificate")
	_, first := current()
	updated, err := client.UpdateCertificatePolicy(ctx, "tls", azcertificates.CertificatePolicy{
		KeyProperties:             &azcertificates.KeyProperties{ReuseKey: new(true), Exportable: new(false)},
		X509CertificateProperties: &azcertificates.X509CertificateProperties{ValidityInMonths: new(int32(3))},
	}, nil)
	must(t, err, "update the policy")
	if *updated.X509CertificateProperties.Subject != "CN=orders.example" || *updated.X509CertificateProperties.ValidityInMonths != 3 {
		t.Errorf("policy = %+v", updated.CertificatePolicy)
	}
	_, err = client.CreateCertificate(ctx, "tls", azcertificates.CreateCertificateParameters{}, nil)
	must(t, err, "create the next version")
	_, second := current()
	if !second.PublicKey.(*rsa.PublicKey).Equal(first.PublicKey) || second.SerialNumber.Cmp(first.SerialNumber) == 0 || second.NotAfter.After(first.NotAfter) {
		t.Errorf("second version: until %s", second.NotAfter)
	}
	secret, err := secretClient(t, f).GetSecret(ctx, "tls", "", nil)
	must(t, err, "read its secret")
	if strings.Contains(*secret.Value, "PRIVATE KEY") {
		t.Error("the secret has a key that is not exportable")
	}

	f.wait(85 * 24 * time.Hour)
	for range 2 {
		must(t, (&Rotator{Server: f.server}).Rotate(ctx), "renew what is due")
	}
	_, third := current()
	if third.SerialNumber.Cmp(second.SerialNumber) == 0 || !third.NotAfter.After(second.NotAfter) {
		t.Errorf("after 80 %% of its life it is not renewed: until %s", third.NotAfter)
	}
	versions, err := client.NewListCertificatePropertiesVersionsPager("tls", nil).NextPage(ctx)
	must(t, err, "list the versions")
	if len(versions.Value) != 3 {
		t.Errorf("%d versions, want 3", len(versions.Value))
	}
}

func TestRolesOfCertificates(t *testing.T) {
	t.Parallel()
	f := newFixture(t, v1alpha1.KeyVaultCertificatesOfficer)
	client, secrets, ctx := certificateClient(t, f), secretClient(t, f), t.Context()
	_, err := client.CreateCertificate(ctx, "tls", selfSigned(), nil)
	must(t, err, "create a certificate")
	wantError(t, "an officer reads the secret", failure(secrets.GetSecret(ctx, "tls", "", nil)), http.StatusForbidden, "getSecret/action")
	f.role.Store(new(v1alpha1.KeyVaultCertificateUser))
	must(t, failure(secrets.GetSecret(ctx, "tls", "", nil)), "read the secret as a user")
	must(t, failure(client.GetCertificate(ctx, "tls", "", nil)), "read the certificate as a user")
	wantError(t, "a user creates", failure(client.CreateCertificate(ctx, "tls", selfSigned(), nil)), http.StatusForbidden, "certificates/create/action")
}

func newAuthority(t *testing.T) (*x509.Certificate, *rsa.PrivateKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err, "make a key")
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "Authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	parsed, err := x509.ParseCertificate(issue(t, template, template, key.Public(), key))
	must(t, err, "parse an authority")
	return parsed, key
}

// issue returns a certificate for a day, in DER.
func issue(t *testing.T, template, parent *x509.Certificate, public any, key crypto.Signer) []byte {
	t.Helper()
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now(), time.Now().Add(24*time.Hour)
	content, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	must(t, err, "issue a certificate")
	return content
}
