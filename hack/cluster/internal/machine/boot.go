package machine

import (
	"fmt"
	"os"
	"strings"
)

// BootID returns an ID of the machine's current boot.
func BootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the machine's boot ID: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
