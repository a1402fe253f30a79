// Package recipe builds images of programs that need a system below them, without a container engine. A recipe is a
// folder with image.json, which says what the image is based on and how it starts, and a script build, which is called as
//
//	build DESTINATION VERSIONS CACHE
//
// and fills DESTINATION with the files of the image. VERSIONS is test/sdks/versions.json, which pins every version. CACHE
// is a folder for the script's own tools.
package recipe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// File marks a folder as a recipe.
const File = "image.json"

// Recipe describes how an image is built.
type Recipe struct {
	// Image is the image's name, without a tag.
	Image string

	dir           string
	specification specification
}

// specification is the content of image.json.
type specification struct {
	// Base are the Debian packages of the image's base, beside a minimal Debian; null means an empty base.
	Base []string `json:"base"`

	Entrypoint []string          `json:"entrypoint"`
	Env        map[string]string `json:"env"`

	// Needs are programs that this machine must have to build the image.
	Needs []string `json:"needs"`
}

// Read reads the recipe of an image in a folder.
func Read(dir, image string) (Recipe, error) {
	text, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return Recipe{}, fmt.Errorf("read what the image %s is made of: %w", image, err)
	}
	read := Recipe{Image: image, dir: dir}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read.specification); err != nil {
		return Recipe{}, fmt.Errorf("read %s in %s: %w", File, dir, err)
	}
	if len(read.specification.Entrypoint) == 0 {
		return Recipe{}, fmt.Errorf("%s in %s has no entrypoint", File, dir)
	}
	return read, nil
}
