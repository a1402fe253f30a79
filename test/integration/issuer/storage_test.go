package issuer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	azcontainer "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestStorage(t *testing.T) {
	s := startStorage(t)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *storageTest)
	}{
		{"TokenAloneOpensNothing", testStorageTokenAlone},
		{"BlobsOfTheSDK", testBlobsOfTheSDK},
		{"BlobsOfAllTypes", testBlobsOfAllTypes},
		{"Copies", testCopies},
		{"PublicHosts", testStoragePublicHosts},
		{"Queues", testQueues},
		{"Tables", testTables},
		{"RoleOfOneContainer", testRoleOfOneContainer},
		{"StorageRefusals", testStorageRefusals},
		{"SharedKeys", testSharedKeys},
		{"BigBlob", testBigBlob},
		{"NameBelongsToTheOldest", testStorageNameBelongsToTheOldest},
		{"AccountMadeAgainIsEmpty", testAccountMadeAgain},
		{"AzuriteRestarts", testAzuriteRestarts},
	} {
		if !t.Run(one.name, func(t *testing.T) { one.run(t, s) }) {
			break
		}
	}
}

func testStorageTokenAlone(t *testing.T, s *storageTest) {
	blobs, ctx := s.blobs(t), t.Context()
	eventually(t, "the gate knows the account", func() error {
		_, err := blobs.CreateContainer(ctx, "invoices", nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.ErrorCode != "AuthorizationPermissionMismatch" || failed.StatusCode != http.StatusForbidden {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})
	eventually(t, "the refusal is in the audit log", func() error {
		if log := s.server.log.String(); !strings.Contains(log, `"reason":"AuthorizationPermissionMismatch"`) {
			return fmt.Errorf("log = %s", log)
		}
		return nil
	})
	contributor := s.assignStorage(t, v1alpha1.StorageBlobDataContributor, nil)
	eventually(t, "the role takes effect", func() error {
		_, err := blobs.CreateContainer(ctx, "invoices", nil)
		return err
	})
	s.delete(t, contributor)
	eventually(t, "the role is withdrawn", func() error {
		_, err := blobs.UploadBuffer(ctx, "invoices", "one", []byte("x"), nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusForbidden {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})
	s.assignStorage(t, v1alpha1.StorageBlobDataContributor, nil)
	eventually(t, "the role is there again", func() error {
		_, err := blobs.UploadBuffer(ctx, "invoices", "one", []byte("x"), nil)
		return err
	})
}

func testBlobsOfTheSDK(t *testing.T, s *storageTest) {
	blobs, ctx := s.blobs(t), t.Context()
	content := bytes.Repeat([]byte("0123456789"), 1<<20)
	_, err := blobs.UploadBuffer(ctx, "invoices", "2026/11/a b+c%d.txt", content, &azblob.UploadBufferOptions{
		BlockSize: 4 << 20, Metadata: map[string]*string{"team": new("retail")},
	})
	must(t, err, "upload a blob in blocks")
	download, err := blobs.DownloadStream(ctx, "invoices", "2026/11/a b+c%d.txt", nil)
	must(t, err, "download it")
	got, err := io.ReadAll(download.Body)
	must(t, err, "read it")
	if !bytes.Equal(got, content) || download.Metadata["Team"] == nil || *download.Metadata["Team"] != "retail" {
		t.Errorf("%d bytes, metadata %v", len(got), download.Metadata)
	}
	var names []string
	for pager := blobs.NewListBlobsFlatPager("invoices", &azblob.ListBlobsFlatOptions{MaxResults: new(int32(1))}); pager.More(); {
		page, err := pager.NextPage(ctx)
		must(t, err, "list the blobs")
		for _, one := range page.Segment.BlobItems {
			names = append(names, *one.Name)
		}
	}
	if fmt.Sprint(names) != "[2026/11/a b+c%d.txt one]" {
		t.Errorf("names = %q", names)
	}
}

// testBlobsOfAllTypes takes one of each operation that the table of docs/storage.md has.
func testBlobsOfAllTypes(t *testing.T, s *storageTest) {
	ctx, container := t.Context(), s.blobs(t).ServiceClient().NewContainerClient("invoices")
	_, err := container.SetMetadata(ctx, &azcontainer.SetMetadataOptions{Metadata: map[string]*string{"year": new("2026")}})
	must(t, err, "set a container's metadata")
	properties, err := container.GetProperties(ctx, nil)
	must(t, err, "get a container's properties")
	if len(properties.Metadata) != 1 {
		t.Errorf("metadata = %v", properties.Metadata)
	}
	containers, err := s.blobs(t).NewListContainersPager(nil).NextPage(ctx)
	must(t, err, "list the containers")
	if len(containers.ContainerItems) != 1 || *containers.ContainerItems[0].Name != "invoices" {
		t.Errorf("containers = %+v", containers.ContainerItems)
	}

	log := container.NewAppendBlobClient("log")
	_, err = log.Create(ctx, nil)
	must(t, err, "create an append blob")
	for range 2 {
		_, err = log.AppendBlock(ctx, streaming.NopCloser(strings.NewReader("line\n")), nil)
		must(t, err, "append a block")
	}
	disk := container.NewPageBlobClient("disk")
	_, err = disk.Create(ctx, 1024, nil)
	must(t, err, "create a page blob")
	_, err = disk.UploadPages(ctx, streaming.NopCloser(bytes.NewReader(make([]byte, 512))), blob.HTTPRange{Count: 512}, nil)
	must(t, err, "upload a page")
	pages, err := disk.NewGetPageRangesPager(nil).NextPage(ctx)
	must(t, err, "get the ranges of pages")
	if len(pages.PageRange) != 1 {
		t.Errorf("ranges = %+v", pages.PageRange)
	}

	one := container.NewBlockBlobClient("one")
	_, err = one.SetHTTPHeaders(ctx, blob.HTTPHeaders{BlobContentType: new("text/plain")}, nil)
	must(t, err, "set a blob's properties")
	_, err = one.SetMetadata(ctx, map[string]*string{"a": new("b")}, nil)
	must(t, err, "set a blob's metadata")
	_, err = one.SetTier(ctx, blob.AccessTierCool, nil)
	must(t, err, "set a blob's tier")
	snapshot, err := one.CreateSnapshot(ctx, nil)
	must(t, err, "make a snapshot")
	frozen, err := one.WithSnapshot(*snapshot.Snapshot)
	must(t, err, "find the snapshot")
	got, err := frozen.GetProperties(ctx, nil)
	must(t, err, "get the snapshot's properties")
	if *got.ContentType != "text/plain" || *got.AccessTier != "Cool" {
		t.Errorf("content type %s, tier %s", *got.ContentType, *got.AccessTier)
	}
	leased, err := lease.NewBlobClient(one, nil)
	must(t, err, "make a client of leases")
	_, err = leased.AcquireLease(ctx, 15, nil)
	must(t, err, "lease a blob")
	_, err = one.Delete(ctx, nil)
	wantError(t, err, http.StatusPreconditionFailed, "LeaseIdMissing")
	_, err = leased.ReleaseLease(ctx, nil)
	must(t, err, "release it")

	_, err = one.GetTags(ctx, nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationPermissionMismatch")
	owner := s.assignStorage(t, v1alpha1.StorageBlobDataOwner, nil)
	eventually(t, "an owner sets tags", func() error {
		_, err := one.SetTags(ctx, map[string]string{"state": "paid"}, nil)
		return err
	})
	tags, err := one.GetTags(ctx, nil)
	must(t, err, "get tags")
	if len(tags.BlobTagSet) != 1 {
		t.Errorf("tags = %+v", tags.BlobTagSet)
	}
	found, err := container.FilterBlobs(ctx, `"state"='paid'`, nil)
	must(t, err, "find blobs by their tags")
	if len(found.Blobs) != 1 {
		t.Errorf("found %+v", found.Blobs)
	}
	s.delete(t, owner)
}

// A copy needs the right to read at its source. Nothing fetches a URL.
func testCopies(t *testing.T, s *storageTest) {
	ctx, container := t.Context(), s.blobs(t).ServiceClient().NewContainerClient("invoices")
	source := container.NewBlobClient("2026/11/a b+c%d.txt")
	_, err := container.NewBlobClient("copy").StartCopyFromURL(ctx, source.URL(), nil)
	must(t, err, "copy a blob")
	_, err = container.NewBlobClient("copy2").CopyFromURL(ctx, source.URL(), nil)
	must(t, err, "copy a blob at once")
	copied, err := container.NewBlobClient("copy").GetProperties(ctx, nil)
	must(t, err, "get the copy's properties")
	if *copied.ContentLength != 10<<20 {
		t.Errorf("the copy has %d bytes", *copied.ContentLength)
	}

	asked := make(chan string, 1)
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		select {
		case asked <- request.URL.String():
		default:
		}
	}))
	defer elsewhere.Close()
	for name, url := range map[string]string{
		"another host":         elsewhere.URL + "/orders/invoices/one",
		"Azurite itself":       "https://" + s.azurite[0] + "/orders/invoices/one",
		"the metadata service": "http://169.254.169.254/metadata/instance",
		"another account":      "https://other.blob." + namespace + ".svc/invoices/one",
	} {
		_, err := container.NewBlobClient("stolen").StartCopyFromURL(ctx, url, nil)
		t.Run(name, func(t *testing.T) { wantError(t, err, http.StatusForbidden, "CannotVerifyCopySource") })
	}
	select {
	case url := <-asked:
		t.Errorf("somebody fetched %s", url)
	default:
	}
}

// A role at one container is for that one alone.
func testRoleOfOneContainer(t *testing.T, s *storageTest) {
	_, err := s.blobs(t).CreateContainer(t.Context(), "shared", nil)
	must(t, err, "create a container")
	_, err = s.blobs(t).UploadBuffer(t.Context(), "shared", "a", []byte("for you"), nil)
	must(t, err, "upload a blob")
	own := *s
	vault := *s.vaultTest
	own.vaultTest = &vault
	own.home = s.newHome(t)
	own.bearer = s.issuerProcess.bearer(t, own.home.newPod(t, "reader", "node-1"))
	own.grantedTo(t, own.bearer, storageResource)
	own.assignStorage(t, v1alpha1.StorageBlobDataReader, func(scope *v1alpha1.AssignmentScope) { scope.Container = "shared" })
	blobs, ctx := own.blobs(t), t.Context()
	eventually(t, "the blob can be read", func() error {
		_, err := blobs.DownloadStream(ctx, "shared", "a", nil)
		return err
	})
	stolen := blobs.ServiceClient().NewContainerClient("shared").NewBlobClient("b")
	for what, err := range map[string]error{
		"another container":    ignoring(blobs.DownloadStream(ctx, "invoices", "one", nil)),
		"a write":              ignoring(blobs.UploadBuffer(ctx, "shared", "a", []byte("x"), nil)),
		"the list":             ignoring(blobs.NewListContainersPager(nil).NextPage(ctx)),
		"a path upwards":       ignoring(blobs.DownloadStream(ctx, "shared/..", "invoices/one", nil)),
		"a copy of another":    ignoring(stolen.CopyFromURL(ctx, s.account.Status.Blob+"/invoices/one", nil)),
		"a queue of that name": ignoring(own.queues(t).NewQueueClient("shared").PeekMessage(ctx, nil)),
	} {
		t.Run(what, func(t *testing.T) {
			failed, ok := errors.AsType[*azcore.ResponseError](err)
			if !ok || failed.StatusCode != http.StatusForbidden && failed.StatusCode != http.StatusBadRequest {
				t.Errorf("error = %v", err)
			}
		})
	}
}

// Two accounts cannot have one host name: the older one has it, whatever the status of the other says.
func testStorageNameBelongsToTheOldest(t *testing.T, s *storageTest) {
	other := &v1alpha1.StorageAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.newHome(t).name, Name: s.account.Name}}
	s.create(t, other)
	eventually(t, "the younger one is refused the name", func() error {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil {
			return err
		}
		if len(other.Status.Conditions) != 1 || other.Status.Conditions[0].Reason != v1alpha1.ReasonNameTaken || other.Status.Blob != "" {
			return fmt.Errorf("status = %+v", other.Status)
		}
		return nil
	})
	before := client.MergeFrom(other.DeepCopy())
	other.Status.Blob = s.account.Status.Blob
	must(t, s.Status().Patch(t.Context(), other, before), "forge its status")
	// The gate has seen this when it has seen a later object.
	later := s.newAccount(t, s.account.Namespace, "later")
	eventually(t, "the gate knows a later account", func() error {
		status, _, body := s.sendStorage(t, request{method: "GET", url: later.Status.Blob + "/invoices/one"})
		if status != http.StatusUnauthorized {
			return fmt.Errorf("got %d %s", status, body)
		}
		return nil
	})
	_, err := s.blobs(t).DownloadStream(t.Context(), "invoices", "by key", nil)
	must(t, err, "read from the older one")
	s.delete(t, other)
}

// An account that is made again, in another namespace even, begins empty.
func testAccountMadeAgain(t *testing.T, s *storageTest) {
	container := s.blobs(t).ServiceClient().NewContainerClient("kept")
	_, err := container.Create(t.Context(), nil)
	must(t, err, "create a container")
	leased, err := lease.NewContainerClient(container, nil)
	must(t, err, "make a client of leases")
	_, err = leased.AcquireLease(t.Context(), -1, nil)
	must(t, err, "lease it for ever")
	s.delete(t, s.account)
	eventually(t, "the account is gone", func() error {
		_, err := container.GetProperties(t.Context(), nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusNotFound {
			return fmt.Errorf("got: %w", err)
		}
		return nil
	})
	s.account = s.newAccount(t, s.newHome(t).name, s.account.Name)
	s.assignStorage(t, v1alpha1.StorageBlobDataContributor, nil)
	s.assignStorage(t, v1alpha1.StorageQueueDataContributor, nil)
	s.assignStorage(t, v1alpha1.StorageTableDataContributor, nil)
	eventually(t, "there is nothing", func() error {
		containers, err := s.blobs(t).NewListContainersPager(nil).NextPage(t.Context())
		if err == nil && len(containers.ContainerItems) > 0 {
			t.Fatalf("there are %d containers, the first is %s", len(containers.ContainerItems), *containers.ContainerItems[0].Name)
		}
		return err
	})
	eventually(t, "there are no queues and tables", func() error {
		queues, err := s.queues(t).NewListQueuesPager(nil).NextPage(t.Context())
		if err != nil {
			return err
		}
		tables, err := s.tables(t).NewListTablesPager(nil).NextPage(t.Context())
		if err == nil && len(queues.Queues)+len(tables.Tables) > 0 {
			t.Fatalf("there are queues %+v and tables %+v", queues.Queues, tables.Tables)
		}
		return err
	})
}

// While Azurite is away the gate says that it passes; what was stored is there afterwards, by the same account.
func testAzuriteRestarts(t *testing.T, s *storageTest) {
	blobs, ctx := s.blobs(t), t.Context()
	_, err := blobs.CreateContainer(ctx, "lasting", nil)
	must(t, err, "create a container")
	_, err = blobs.UploadBuffer(ctx, "lasting", "one", []byte("kept"), nil)
	must(t, err, "upload a blob")
	s.stopAzurite()
	_, err = blobs.DownloadStream(ctx, "lasting", "one", nil)
	wantError(t, err, http.StatusServiceUnavailable, "ServerBusy")
	s.startAzurite(t)
	eventually(t, "the blob is there again", func() error {
		download, err := blobs.DownloadStream(ctx, "lasting", "one", nil)
		if err != nil {
			return err
		}
		content, err := io.ReadAll(download.Body)
		if err == nil && string(content) != "kept" {
			t.Fatalf("it is %q", content)
		}
		return err
	})
}
