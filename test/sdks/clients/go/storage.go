package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

const blobModule = "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

// useStorage uses an account by the library for blobs, at default options, and reports whether all operations succeeded.
func useStorage(url string) bool {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return false
	}
	return useEach(library{"go azblob", blobModule, func(s *session) error { return useBlobs(s, url, credential) }})
}

// The blobs: one that is sent at once, and one that is sent in blocks.
const (
	container = "invoices"
	small     = "one"
	big       = "archive"
)

func useBlobs(s *session, url string, credential azcore.TokenCredential) error {
	client, err := azblob.NewClient(url, credential, nil)
	if err != nil {
		return err
	}
	archive := make([]byte, 9<<20)
	_, _ = rand.Read(archive)
	blobs := map[string][]byte{small: []byte("hello"), big: archive}
	for _, one := range []struct {
		name    string
		operate func() error
	}{
		{"container create", func() error {
			_, err := client.CreateContainer(s, container, nil)
			return err
		}},
		{"blob upload", func() error {
			_, err := client.UploadBuffer(s, container, small, blobs[small], nil)
			return err
		}},
		{"blob upload in blocks", func() error {
			_, err := client.UploadStream(s, container, big, bytes.NewReader(archive), nil)
			return err
		}},
		{"blob blocks", func() error {
			return countBlocks(s, client.ServiceClient().NewContainerClient(container).NewBlockBlobClient(big))
		}},
		{"blob download", func() error { return downloadBlobs(s, client, blobs) }},
		{"blob list", func() error { return listBlobs(s, client, []string{big, small}) }},
		{"blob properties", func() error {
			properties, err := client.ServiceClient().NewContainerClient(container).NewBlobClient(big).GetProperties(s, nil)
			if err == nil && *properties.ContentLength != int64(len(archive)) {
				err = fmt.Errorf("the blob has %d bytes", *properties.ContentLength)
			}
			return err
		}},
		{"blob delete", func() error { return deleteBlob(s, client, small) }},
		{"container delete", func() error {
			_, err := client.DeleteContainer(s, container, nil)
			return err
		}},
	} {
		if err := s.do(one.name, one.operate); err != nil {
			return err
		}
	}
	return nil
}

func countBlocks(s *session, blob *blockblob.Client) error {
	list, err := blob.GetBlockList(s, blockblob.BlockListTypeCommitted, nil)
	if err == nil && len(list.CommittedBlocks) < 2 {
		err = fmt.Errorf("the blob has %d blocks", len(list.CommittedBlocks))
	}
	return err
}

func downloadBlobs(s *session, client *azblob.Client, blobs map[string][]byte) error {
	for name, content := range blobs {
		got := make([]byte, len(content))
		if _, err := client.DownloadBuffer(s, container, name, got, nil); err != nil {
			return err
		}
		if !bytes.Equal(got, content) {
			return errors.New(name + " has another content")
		}
	}
	return nil
}

// listBlobs has a page for each blob, so that the list goes on.
func listBlobs(s *session, client *azblob.Client, want []string) error {
	var names []string
	one := int32(1)
	for pager := client.NewListBlobsFlatPager(container, &azblob.ListBlobsFlatOptions{MaxResults: &one}); pager.More(); {
		page, err := pager.NextPage(s)
		if err != nil {
			return err
		}
		for _, item := range page.Segment.BlobItems {
			names = append(names, *item.Name)
		}
	}
	if !slices.Equal(names, want) {
		return fmt.Errorf("the list has %q", names)
	}
	return nil
}

func deleteBlob(s *session, client *azblob.Client, name string) error {
	if _, err := client.DeleteBlob(s, container, name, nil); err != nil {
		return err
	}
	switch _, err := client.DownloadStream(s, container, name, nil); {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return nil
	case err != nil:
		return err
	}
	return errors.New("the deleted blob is there")
}
