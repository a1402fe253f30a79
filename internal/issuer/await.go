package issuer

import (
	"context"
	"fmt"
)

// await looks at what is known of a pod, and again when that changes, while what was found may only be a matter of something that is
// not known yet; for podLag at the most.
func (s *Server) await(asking context.Context, podUID string, look func(context.Context) (mayChange bool, err error)) error {
	ctx, cancel := context.WithTimeout(asking, podLag)
	defer cancel()
	for {
		changed := s.Directory.Changed(podUID)
		mayChange, err := look(ctx)
		if err == nil || !mayChange {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if gone := asking.Err(); gone != nil {
				return fmt.Errorf("wait for what is known of the pod: %w", gone)
			}
			return err
		}
	}
}
