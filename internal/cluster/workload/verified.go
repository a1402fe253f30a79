package workload

import (
	"crypto/sha256"
	"sync"
	"time"
)

// maxVerified bounds the tokens that are remembered. The pods of a node have some hundreds at a time.
const maxVerified = 4096

// verified remembers tokens whose signatures and claims were verified: a sidecar sends the same token for minutes. A token is forgotten when
// it has expired, and all are when the keys are read again, of which one may be gone.
type verified struct {
	mu     sync.RWMutex
	tokens map[[sha256.Size]byte]remembered

	// version is that of the keys by which the tokens were verified.
	version uint64
}

type remembered struct {
	workload Workload
	expires  time.Time
}

// find returns the workload of a token that was verified by a version of the keys and has not expired.
func (v *verified) find(token [sha256.Size]byte, version uint64, now time.Time) (Workload, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	found, known := v.tokens[token]
	return found.workload, known && v.version == version && now.Before(found.expires)
}

// add remembers a token that was verified by a version of the keys. When there is no room, all are forgotten.
func (v *verified) add(token [sha256.Size]byte, version uint64, found remembered) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens == nil || v.version != version || len(v.tokens) >= maxVerified {
		v.tokens, v.version = map[[sha256.Size]byte]remembered{}, version
	}
	v.tokens[token] = found
}
