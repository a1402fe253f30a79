package storagegate

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Accounts are the accounts of the backend, which reads them from a file.
type Accounts struct {
	path string

	mu   sync.RWMutex
	kept map[string]kept
}

// kept is what is known of an account.
type kept struct {
	// UID is that of the object that the account was made for.
	UID types.UID `json:"uid"`

	// Key is the account's key in base64. It is the backend's; the gate itself needs none.
	Key string `json:"key"`
}

// OpenAccounts reads the accounts of a folder.
func OpenAccounts(folder string) (*Accounts, error) {
	a := &Accounts{path: filepath.Join(folder, AccountsFile), kept: map[string]kept{}}
	content, err := os.ReadFile(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, a.write(a.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read the accounts of Azurite: %w", err)
	}
	if err := json.Unmarshal(content, &a.kept); err != nil {
		return nil, fmt.Errorf("read the accounts of Azurite in %s: %w", a.path, err)
	}
	return a, nil
}

// Known reports whether the backend has an account for the object with a UID.
func (a *Accounts) Known(name string, uid types.UID) bool { return a.uid(name) == uid }

// uid returns the UID that the account of a name was made for, or "".
func (a *Accounts) uid(name string) types.UID {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.kept[name].UID
}

// add makes an account with a new key.
func (a *Accounts) add(name string, uid types.UID) error {
	key := make([]byte, 64)
	_, _ = rand.Read(key)
	a.mu.Lock()
	defer a.mu.Unlock()
	next := maps.Clone(a.kept)
	next[name] = kept{uid, base64.StdEncoding.EncodeToString(key)}
	if err := a.write(next); err != nil {
		return err
	}
	a.kept = next
	return nil
}

func (a *Accounts) write(all map[string]kept) error {
	content, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("write the accounts of Azurite: %w", err)
	}
	return replace(a.path, content)
}
