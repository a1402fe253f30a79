package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sysctl prints a setting of the pod's kernel, or sets it, as "NAME" or "NAME=VALUE" asks.
func sysctl(arguments []string) error {
	if len(arguments) != 1 {
		return fmt.Errorf("sysctl takes one setting, got %d", len(arguments))
	}
	name, value, set := strings.Cut(arguments[0], "=")
	path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
	if set {
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	fmt.Println(strings.TrimSpace(string(content)))
	return nil
}
