package recipe

import (
	"maps"
	"runtime"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kube-imds/kube-imds/hack/internal/product"
)

// newImage returns an image of layers, the lowest first. An empty path is no layer.
func newImage(specification specification, layers ...string) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, path := range layers {
		if path == "" {
			continue
		}
		layer, err := tarball.LayerFromFile(path, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: layer, History: v1.History{Created: v1.Time{Time: product.Epoch}, CreatedBy: "hack/internal/recipe"},
		})
		if err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Created = v1.Time{Time: product.Epoch}
	config.Config = v1.Config{User: product.User, WorkingDir: "/", Entrypoint: specification.Entrypoint, Env: environment(specification)}
	return mutate.ConfigFile(image, config)
}

// environment returns the environment of a program whose user has no home, in a read-only image: a program that writes
// there, as the Azure CLI does, finds a folder that pods have.
func environment(specification specification) []string {
	variables := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp"}
	for _, name := range slices.Sorted(maps.Keys(specification.Env)) {
		variables = append(variables, name+"="+specification.Env[name])
	}
	return variables
}
