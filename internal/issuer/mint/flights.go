package mint

import (
	"golang.org/x/sync/singleflight"

	"github.com/kube-imds/kube-imds/internal/failure"
)

// flights do the same work once for all who want it at the same time.
type flights struct{ group singleflight.Group }

// do works for a key, or waits for the result of another pod's work. What another pod was refused says nothing about this one, which
// then has the work done itself; "" stands for work that is the same pod's each time.
func (f *flights) do(key, pod string, work func() (any, error)) (any, error) {
	own := false
	result, err, _ := f.group.Do(key, func() (any, error) {
		own = true
		return work()
	})
	if err != nil && pod != "" && !own && !failure.Of(err).Temporary() {
		result, err, _ = f.group.Do(key+"\n"+pod, work)
	}
	return result, err
}
