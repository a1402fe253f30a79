package issuer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func testStorageRefusals(t *testing.T, s *storageTest) {
	right, err := s.tokenFor(t.Context(), storageResource)
	must(t, err, "get a token")
	foreign, err := s.tokenFor(t.Context(), vaultResource)
	must(t, err, "get a token of another audience")
	parts := strings.Split(right, ".")
	blob, table := s.account.Status.Blob+"/invoices/one", s.account.Status.Table+"/Tables"
	for name, test := range map[string]struct {
		request request
		status  int
		code    string
	}{
		"none":                {request{method: "GET", url: blob}, 401, "NoAuthenticationInformation"},
		"none at a table":     {request{method: "GET", url: table}, 401, "NoAuthenticationInformation"},
		"another audience":    {request{method: "GET", url: blob, authorization: "Bearer " + foreign}, 401, "InvalidAuthenticationInfo"},
		"tampered":            {request{method: "GET", url: blob, authorization: "Bearer " + parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2]}, 401, "InvalidAuthenticationInfo"},
		"none as alg":         {request{method: "GET", url: blob, authorization: "Bearer eyJhbGciOiJub25lIn0." + parts[1] + "."}, 401, "InvalidAuthenticationInfo"},
		"too long":            {request{method: "GET", url: blob, authorization: "Bearer " + strings.Repeat("a", 15<<10)}, 401, "InvalidAuthenticationInfo"},
		"a shared key":        {request{method: "GET", url: blob, authorization: "SharedKey orders:AAAA"}, 403, "KeyBasedAuthenticationNotPermitted"},
		"the emulator's key":  {request{method: "GET", url: strings.Replace(blob, "orders", "devstoreaccount1", 1), authorization: "SharedKey devstoreaccount1:AAAA"}, 404, "ResourceNotFound"},
		"a signature":         {request{method: "GET", url: blob + "?sv=2026-04-06&sr=b&sp=r&se=2030-01-01&sig=AAAA"}, 403, "KeyBasedAuthenticationNotPermitted"},
		"another method":      {request{method: "GET", url: blob, authorization: "Bearer " + right, header: map[string]string{"X-HTTP-Method": "DELETE"}}, 400, "UnsupportedHeader"},
		"another method lent": {request{method: "POST", url: blob, authorization: "Bearer " + right, header: map[string]string{"X-HTTP-Method-Override": "DELETE"}}, 400, "UnsupportedHeader"},
		"upwards":             {request{method: "GET", url: s.account.Status.Blob + "/invoices/..%2fshared/a", authorization: "Bearer " + right}, 400, "InvalidUri"},
		"a batch":             {request{method: "POST", url: s.account.Status.Blob + "/?comp=batch", authorization: "Bearer " + right, body: "x"}, 501, "NotImplemented"},
		"an acl":              {request{method: "GET", url: s.account.Status.Blob + "/invoices?restype=container&comp=acl", authorization: "Bearer " + right}, 400, "UnsupportedHttpVerb"},
		"a preflight":         {request{method: "OPTIONS", url: blob, authorization: "Bearer " + right, header: map[string]string{"Origin": "https://example.com"}}, 400, "UnsupportedHttpVerb"},
		"an early version":    {request{method: "GET", url: blob, authorization: "Bearer " + right, header: map[string]string{"Upgrade": "h2c", "Connection": "Upgrade"}}, 400, "UnsupportedHeader"},
	} {
		status, header, body := s.sendStorage(t, test.request)
		if status != test.status || header.Get("x-ms-error-code") != test.code || !strings.Contains(body, test.code) {
			t.Errorf("%s: got %d %s %s", name, status, header.Get("x-ms-error-code"), body)
		}
		const challenge = "Bearer authorization_uri=https://login.microsoftonline.com/" + tenant + "/oauth2/authorize resource_id=https://storage.azure.com"
		if status == http.StatusUnauthorized && header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%s: challenge = %s", name, header.Get("WWW-Authenticate"))
		}
	}
	if strings.Contains(s.server.log.String(), right) || strings.Contains(s.server.log.String(), "sig=") || strings.Contains(s.server.log.String(), "AAAA") {
		t.Error("the gate's log has a token or a signature")
	}
	// Only what speaks to the pod's own loopback address reaches Azurite, and it has no other address.
	for _, address := range s.azurite {
		if !strings.HasPrefix(address, "127.0.0.1:") {
			t.Errorf("Azurite listens on %s", address)
		}
	}
}

// Keys and what they sign are refused unless the account admits them, and a user delegation key always: Azurite makes it from what anybody knows.
func testSharedKeys(t *testing.T, s *storageTest) {
	before := client.MergeFrom(s.account.DeepCopy())
	s.account.Spec.AllowSharedKeyAccess = true
	must(t, s.Patch(t.Context(), s.account, before), "admit shared keys")
	ctx := t.Context()
	credential, err := azblob.NewSharedKeyCredential(s.account.Name, s.accountKey(t))
	must(t, err, "make a credential")
	blobs, err := azblob.NewClientWithSharedKeyCredential(s.account.Status.Blob, credential, &azblob.ClientOptions{ClientOptions: s.options()})
	must(t, err, "make a client with a key")
	eventually(t, "a key opens the account", func() error {
		_, err := blobs.DownloadStream(ctx, "invoices", "2026/11/a b+c%d.txt", nil)
		return err
	})
	_, err = blobs.UploadBuffer(ctx, "invoices", "by key", []byte("x"), nil)
	must(t, err, "upload with a key")
	signed, err := blobs.ServiceClient().NewContainerClient("invoices").NewBlobClient("by key").GetSASURL(
		sas.BlobPermissions{Read: true}, time.Now().Add(time.Hour), nil)
	must(t, err, "sign a URL")
	if status, _, body := s.sendStorage(t, request{method: "GET", url: signed}); status != http.StatusOK || body != "x" {
		t.Errorf("a signed URL: got %d %s", status, body)
	}
	if status, _, _ := s.sendStorage(t, request{method: "DELETE", url: signed}); status != http.StatusForbidden {
		t.Errorf("a signed URL deletes: got %d", status)
	}
	tampered := strings.Replace(signed, "by%20key", "one", 1)
	if status, _, _ := s.sendStorage(t, request{method: "GET", url: tampered}); status != http.StatusForbidden || tampered == signed {
		t.Errorf("another blob's signature: got %d for %s", status, tampered)
	}
	wrong, err := azblob.NewSharedKeyCredential(s.account.Name, "AAAA")
	must(t, err, "make another credential")
	forged, err := azblob.NewClientWithSharedKeyCredential(s.account.Status.Blob, wrong, &azblob.ClientOptions{ClientOptions: s.options()})
	must(t, err, "make a client with another key")
	_, err = forged.DownloadStream(ctx, "invoices", "one", nil)
	wantError(t, err, http.StatusForbidden, "AuthenticationFailed")

	_, err = s.blobs(t).ServiceClient().GetUserDelegationCredential(ctx, service.KeyInfo{
		Start: new(time.Now().UTC().Format(sas.TimeFormat)), Expiry: new(time.Now().Add(time.Hour).UTC().Format(sas.TimeFormat)),
	}, nil)
	wantError(t, err, http.StatusBadRequest, "UnsupportedHttpVerb")
	status, header, _ := s.sendStorage(t, request{method: "GET", url: signed + "&skoid=x"})
	if status != http.StatusForbidden || header.Get("x-ms-error-code") != "KeyBasedAuthenticationNotPermitted" {
		t.Errorf("a user delegation signature: got %d", status)
	}

	before = client.MergeFrom(s.account.DeepCopy())
	s.account.Spec.AllowSharedKeyAccess = false
	must(t, s.Patch(ctx, s.account, before), "admit no shared keys")
	eventually(t, "the signed URL is refused", func() error {
		if status, _, body := s.sendStorage(t, request{method: "GET", url: signed}); status != http.StatusForbidden {
			return fmt.Errorf("got %d %s", status, body)
		}
		return nil
	})
}

// accountKey returns the key that the gate made for the account.
func (s *storageTest) accountKey(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.folder, "accounts.json"))
	must(t, err, "read the accounts")
	var accounts map[string]struct{ Key string }
	must(t, json.Unmarshal(content, &accounts), "decode the accounts")
	if accounts[s.account.Name].Key == "" {
		t.Fatalf("accounts = %v", accounts)
	}
	return accounts[s.account.Name].Key
}
