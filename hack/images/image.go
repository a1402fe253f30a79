package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kube-imds/kube-imds/hack/internal/product"
)

// newImage returns an image with a part's binary only.
func newImage(part part, version string, executable executable) (v1.Image, error) {
	content, err := os.ReadFile(executable.path)
	if err != nil {
		return nil, err
	}
	archive, err := newLayer(part, content)
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", part.name, err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive)), nil
	}, tarball.WithCompressedCaching, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("compress %s: %w", part.name, err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: product.Epoch}, CreatedBy: "hack/images", Comment: part.title},
	})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, configOf(image, part, version, executable))
}

// newLayer returns a tar archive of the binary.
func newLayer(part part, content []byte) ([]byte, error) {
	header := tar.Header{
		Typeflag: tar.TypeReg,
		Name:     part.name,
		Mode:     0o755,
		Size:     int64(len(content)),
		ModTime:  product.Epoch,
		Format:   tar.FormatPAX,
	}
	if !part.capabilities.none() {
		header.PAXRecords = map[string]string{xattrRecord: string(part.capabilities.xattr())}
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	if err := writer.WriteHeader(&header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

func configOf(image v1.Image, part part, version string, executable executable) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		panic("the configuration of an image in memory cannot be read: " + err.Error())
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = executable.goos, executable.goarch
	config.Created = v1.Time{Time: product.Epoch}
	config.Config = v1.Config{
		User:       product.User,
		Entrypoint: []string{"/" + part.name},
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":    part.title,
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.source":   "https://github.com/kube-imds/kube-imds",
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return config
}
