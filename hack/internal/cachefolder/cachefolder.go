// Package cachefolder locates what is built outside the checkout.
package cachefolder

import (
	"fmt"
	"os"
	"path/filepath"
)

// Path returns $KUBE_IMDS_CACHE, or kube-imds in the user's cache folder. It is absolute, because links elsewhere lead to
// it.
func Path() (string, error) {
	if folder := os.Getenv("KUBE_IMDS_CACHE"); folder != "" {
		return filepath.Abs(folder)
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder; set KUBE_IMDS_CACHE to one: %w", err)
	}
	return filepath.Join(folder, "kube-imds"), nil
}
