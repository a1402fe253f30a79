// Package machine keeps what clusters need to know of the machine and what they must give back to it.
package machine

import (
	"fmt"
	"os"
	"strings"
)

// BootID tells one start of the machine from another.
func BootID() (string, error) {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the machine's boot ID: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
