// Package product is what all images of kube-imds share.
package product

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"
)

// User is the user of programs in images: no user of the host, and not root.
const User = "65532:65532"

// Epoch is the time of everything in an image, so that the same source gives the same image.
var Epoch = time.Unix(0, 0).UTC()

// Reference returns the name of an image in manifests.
func Reference(image, version string) string { return "kube-imds/" + image + ":" + version }

// Version returns the version of the product: the appVersion of the chart.
func Version(root string) (string, error) {
	path := filepath.Join(root, "charts", "kube-imds", "Chart.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the version: %w", err)
	}
	var chart struct {
		AppVersion string `json:"appVersion"`
	}
	if err := yaml.Unmarshal(text, &chart); err != nil {
		return "", fmt.Errorf("read the version from %s: %w", path, err)
	}
	if chart.AppVersion == "" {
		return "", fmt.Errorf("%s has no appVersion", path)
	}
	return chart.AppVersion, nil
}
