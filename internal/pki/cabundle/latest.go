package cabundle

import (
	"crypto/x509"
	"slices"
	"sync"
)

// Latest is the newest bundle in the authority's ConfigMap. A missing or unreadable one leaves the bundle before.
type Latest struct {
	mu      sync.Mutex
	current Bundle
	pool    *x509.CertPool
	changed chan struct{}
}

// Update takes over the ConfigMap's data.
func (l *Latest) Update(data map[string]string) {
	if bundle, err := Parse([]byte(data[Key])); err == nil {
		l.Set(bundle)
	}
}

// Set takes over a bundle.
func (l *Latest) Set(bundle Bundle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.EqualFunc(bundle, l.current, (*x509.Certificate).Equal) {
		return
	}
	l.current, l.pool = bundle, bundle.Pool()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Bundle returns the bundle; nil while none is known.
func (l *Latest) Bundle() Bundle {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

// Pool returns the authorities to trust; nil while none is known.
func (l *Latest) Pool() *x509.CertPool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pool
}

// Changed returns a channel that is closed when the bundle changes.
func (l *Latest) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// Ready reports whether an authority is known.
func (l *Latest) Ready() bool { return l.Pool() != nil }
