package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// changedByKubelet are the settings of the whole machine that every kubelet changes when it starts.
var changedByKubelet = []string{
	"kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
	"vm/overcommit_memory", "vm/panic_on_oom",
}

// Sysctls keeps settings of the machine from before the first cluster until the last one is gone.
type Sysctls struct {
	// File keeps the settings.
	File string

	// root is /proc/sys, except in tests.
	root string
}

// saved is the content of the file. A reboot makes it stale, because the machine then has its own settings again.
type saved struct {
	BootID string            `json:"bootID"`
	Values map[string]string `json:"values"`
}

// NewSysctls returns Sysctls that keep the settings in a file.
func NewSysctls(file string) Sysctls { return Sysctls{File: file, root: "/proc/sys"} }

// Save saves the settings, unless it has done so since the machine booted.
func (s Sysctls) Save() error {
	boot, err := BootID()
	if err != nil {
		return err
	}
	if before, err := s.read(); err == nil && before.BootID == boot {
		return nil
	}
	now := saved{BootID: boot, Values: map[string]string{}}
	for _, name := range changedByKubelet {
		// A kernel without the setting has nothing to restore.
		if value, err := os.ReadFile(filepath.Join(s.root, name)); err == nil {
			now.Values[name] = strings.TrimSpace(string(value))
		}
	}
	content, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("save the machine's settings: %w", err)
	}
	if err := os.WriteFile(s.File, content, 0o600); err != nil {
		return fmt.Errorf("save the machine's settings: %w", err)
	}
	return nil
}

// Restore restores the settings and forgets them. Without saved settings it does nothing.
func (s Sysctls) Restore() error {
	boot, err := BootID()
	if err != nil {
		return err
	}
	before, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && before.BootID == boot {
		for name, value := range before.Values {
			if err := os.WriteFile(filepath.Join(s.root, name), []byte(value), 0); err != nil {
				return fmt.Errorf("restore the machine's setting %s: %w", name, err)
			}
		}
	}
	if err := os.Remove(s.File); err != nil {
		return fmt.Errorf("forget the machine's settings: %w", err)
	}
	return nil
}

func (s Sysctls) read() (saved, error) {
	content, err := os.ReadFile(s.File)
	if err != nil {
		return saved{}, fmt.Errorf("read the machine's settings from before the cluster: %w", err)
	}
	var before saved
	if err := json.Unmarshal(content, &before); err != nil {
		return saved{}, fmt.Errorf("read the machine's settings from before the cluster: %w", err)
	}
	return before, nil
}
