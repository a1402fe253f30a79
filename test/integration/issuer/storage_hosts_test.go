package issuer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// An account is served at the hosts of Azure that it declares, with a certificate for these, and by no other name of Azure.
func testStoragePublicHosts(t *testing.T, s *storageTest) {
	const host, tables = "orders.blob.core.windows.net", "orders.table.core.windows.net"
	ctx, blobs := t.Context(), s.blobsAt(t, "https://"+host)
	isRefused := func(url string) error {
		if _, err := s.blobsAt(t, url).DownloadStream(ctx, "invoices", "one", nil); err == nil || !strings.Contains(err.Error(), "certificate") {
			return fmt.Errorf("%s: want it to have no certificate, got: %w", url, err)
		}
		return nil
	}
	must(t, isRefused("https://"+host), "before the account declares the host")

	s.declare(t, s.account, func() {
		s.account.Spec.PublicHosts = []v1alpha1.StorageHost{host, tables, "orders.blob.core.chinacloudapi.cn"}
	})
	s.awaitHosts(t, s.account, v1alpha1.ReasonHostNotAllowed, host, tables)
	eventually(t, "the account is served at its public host", func() error {
		_, err := blobs.UploadBuffer(ctx, "invoices", "public", []byte("hello"), nil)
		return err
	})
	for name, url := range map[string]string{"its public host": "https://" + host, "its own name": s.account.Status.Blob} {
		download, err := s.blobsAt(t, url).DownloadStream(ctx, "invoices", "public", nil)
		must(t, err, "download from "+name)
		if got, err := io.ReadAll(download.Body); err != nil || string(got) != "hello" {
			t.Errorf("%s has %q, error %v", name, got, err)
		}
	}
	container := s.blobs(t).ServiceClient().NewContainerClient("invoices")
	_, err := container.NewBlobClient("public copy").CopyFromURL(ctx, "https://"+host+"/invoices/public", nil)
	must(t, err, "copy from the public host")
	for _, name := range []string{"public", "public copy"} {
		_, err = container.NewBlobClient(name).Delete(ctx, nil)
		must(t, err, "delete "+name)
	}

	// The host is an audience of its own, and another account's is none here.
	for resource, want := range map[string]int{"https://" + host: http.StatusOK, "https://other.blob.core.windows.net": http.StatusUnauthorized} {
		s.grantedTo(t, s.bearer, resource)
		token, err := s.tokenFor(ctx, resource)
		must(t, err, "get a token for "+resource)
		if status, _, body := s.sendStorage(t, request{method: "GET", url: "https://" + host + "/invoices/one", authorization: "Bearer " + token}); status != want {
			t.Errorf("a token for %s: got %d %s", resource, status, body)
		}
	}
	for _, foreign := range []string{"orders.blob.core.chinacloudapi.cn", "other.blob.core.windows.net", "orders.queue.core.windows.net", "blob.core.windows.net"} {
		must(t, isRefused("https://"+foreign), "ask at a host that nobody has")
	}
	_, err = s.blobsAt(t, "https://"+tables).DownloadStream(ctx, "invoices", "one", nil)
	if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode == http.StatusNotFound {
		t.Errorf("the host of tables: error %v", err)
	}

	s.declare(t, s.account, func() { s.account.Spec.PublicHosts = nil })
	s.awaitHosts(t, s.account, "")
	eventually(t, "the public host is given up", func() error { return isRefused("https://" + host) })
}
