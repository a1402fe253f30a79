package recipe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// debianVersion is the key of Debian's version.
const debianVersion = "debian"

// versionsPath returns the file that pins versions.
func versionsPath(root string) string { return filepath.Join(root, "test", "sdks", "versions.json") }

// Versions returns the pinned versions.
func Versions(root string) (map[string]string, error) {
	path := versionsPath(root)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the pinned versions: %w", err)
	}
	var versions map[string]string
	if err := json.Unmarshal(text, &versions); err != nil {
		return nil, fmt.Errorf("read the pinned versions in %s: %w", path, err)
	}
	return versions, nil
}
