package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kube-imds/kube-imds/hack/internal/atomically"
	"github.com/kube-imds/kube-imds/hack/internal/product"
)

// reference returns the name of a part's image in manifests.
func reference(part part, version string) string {
	return product.Reference(part.name, version)
}

// output is the destination of a part's images.
type output struct {
	dir     string
	part    part
	version string
}

// write writes the archives and the layout of a part, and reports whether anything has changed since the last time.
func (o output) write(executables []executable) (bool, error) {
	inputs, err := o.inputs(executables)
	if err != nil {
		return false, err
	}
	if o.current(inputs, executables) {
		return false, nil
	}
	images := make([]v1.Image, len(executables))
	for i, executable := range executables {
		if images[i], err = newImage(o.part, o.version, executable); err != nil {
			return false, err
		}
		if err := o.writeArchive(images[i], executable); err != nil {
			return false, fmt.Errorf("write %s: %w", o.archivePath(executable), err)
		}
	}
	if err := o.writeLayout(images, executables); err != nil {
		return false, fmt.Errorf("write %s: %w", o.layoutPath(), err)
	}
	return true, os.WriteFile(o.inputsPath(), []byte(inputs), 0o644)
}

// inputs identifies everything that the images depend on: the executables, the version, and this program.
func (o output) inputs(executables []executable) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	digest, err := fileDigest(self)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	fmt.Fprintln(hash, runtime.Version(), digest, reference(o.part, o.version))
	for _, executable := range executables {
		fmt.Fprintln(hash, executable.goos, executable.goarch, executable.digest)
	}
	return fmt.Sprintf("%x\n", hash.Sum(nil)), nil
}

func (o output) current(inputs string, executables []executable) bool {
	last, err := os.ReadFile(o.inputsPath())
	if err != nil || string(last) != inputs {
		return false
	}
	paths := []string{o.layoutPath()}
	for _, executable := range executables {
		paths = append(paths, o.archivePath(executable))
	}
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	return true
}

// writeArchive writes an archive like "docker save". The name in it is short, like Docker's; containerd and kubelets read
// it as docker.io/kube-imds/PART.
func (o output) writeArchive(image v1.Image, executable executable) error {
	tag, err := name.NewTag(reference(o.part, o.version))
	if err != nil {
		return err
	}
	return atomically.Replace(o.archivePath(executable), func(path string) error {
		return tarball.WriteToFile(path, tag, image)
	})
}

// writeLayout writes an OCI image layout with one index of all platforms.
func (o output) writeLayout(images []v1.Image, executables []executable) error {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for i, image := range images {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform: &v1.Platform{OS: executables[i].goos, Architecture: executables[i].goarch},
		}})
	}
	return atomically.Replace(o.layoutPath(), func(path string) error {
		target, err := layout.Write(path, empty.Index)
		if err != nil {
			return err
		}
		return target.AppendIndex(index, layout.WithAnnotations(map[string]string{
			"io.containerd.image.name":          "docker.io/" + reference(o.part, o.version),
			"org.opencontainers.image.ref.name": o.version,
		}))
	})
}

func (o output) archivePath(executable executable) string {
	return filepath.Join(o.dir, o.part.name+"-"+executable.goarch+".tar")
}

func (o output) layoutPath() string {
	return filepath.Join(o.dir, o.part.name+".oci")
}

func (o output) inputsPath() string {
	return filepath.Join(o.dir, o.part.name+".inputs")
}
