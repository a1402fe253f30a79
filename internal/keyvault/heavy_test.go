package keyvault

import (
	"context"
	"errors"
	"testing"
)

// What waits for a core ends with its request.
func TestHeavyIsBounded(t *testing.T) {
	release, started := make(chan struct{}), make(chan struct{})
	for range cap(cores) {
		go func() {
			_, _ = heavy(context.Background(), func() (int, error) {
				started <- struct{}{}
				<-release
				return 0, nil
			})
		}()
		<-started
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := heavy(ctx, func() (int, error) { return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	close(release)
	if done, err := heavy(t.Context(), func() (int, error) { return 1, nil }); done != 1 || err != nil {
		t.Errorf("afterwards: %d, error %v", done, err)
	}
}
