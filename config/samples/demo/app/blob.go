package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// containerName and blobName are where the sample writes and reads a blob.
const (
	containerName = "greetings"
	blobName      = "hello.txt"
)

// newBlobs returns a client of a storage account's blobs, at default settings.
func newBlobs(url string) (*azblob.Client, error) {
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("make a DefaultAzureCredential: %w", err)
	}
	return azblob.NewClient(url, credential, nil)
}

// showBlob reads the blob and prints it, or what Azure's API says against that.
func showBlob(ctx context.Context, url string) error {
	blobs, err := newBlobs(url)
	if err != nil {
		return err
	}
	content, err := awaitRead(ctx, func() (string, error) { return readBlob(ctx, blobs) })
	return show("Storage: the blob "+containerName+"/"+blobName, content, err)
}

func readBlob(ctx context.Context, blobs *azblob.Client) (string, error) {
	response, err := blobs.DownloadStream(ctx, containerName, blobName, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return string(content), err
}

// setBlob writes the blob.
func setBlob(ctx context.Context, url, content string) error {
	blobs, err := newBlobs(url)
	if err != nil {
		return err
	}
	_, err = blobs.CreateContainer(ctx, containerName, nil)
	if err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
		return fmt.Errorf("create the container %s: %w", containerName, err)
	}
	if _, err := blobs.UploadStream(ctx, containerName, blobName, strings.NewReader(content), nil); err != nil {
		return fmt.Errorf("write the blob %s: %w", blobName, err)
	}
	fmt.Printf("Storage: wrote the blob %s/%s\n", containerName, blobName)
	return nil
}
