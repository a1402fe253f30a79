package keyvault

import (
	"context"
	"runtime"
)

// heavy runs what keeps a core busy for up to seconds, such as making an RSA key: no more at a time than there are cores. Others wait, as
// long as their callers do.
func heavy[T any](ctx context.Context, run func() (T, error)) (T, error) {
	select {
	case cores <- struct{}{}:
		defer func() { <-cores }()
		return run()
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

var cores = make(chan struct{}, runtime.GOMAXPROCS(0))
