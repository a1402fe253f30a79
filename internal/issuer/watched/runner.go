package watched

import (
	"context"
	"math"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
)

const (
	// startsPerSecond bounds how fast watches begin, so that pods that come and go all day do not keep the API server busy.
	// An issuer that starts on a full node begins them all at once.
	startsPerSecond = 100
	startsBurst     = 1000

	// pageSize is how many objects a page of a list has, where the API server does not stream them.
	pageSize = 500

	// renewal is how long the API server is asked to let a watch go on, at the least; at the most it is twice as long.
	renewal = 30 * time.Minute
)

// retry is how long a watch that failed waits, as those of all of Kubernetes do: a cluster's issuers lose their API server all at
// the same time.
var retry = wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Jitter: 1, Cap: 30 * time.Second, Steps: math.MaxInt32}

// forgivenAfter is after how long without a failure the next one is the first again.
const forgivenAfter = 2 * time.Minute

// api lists and watches what keys name.
type api interface {
	List(ctx context.Context, watched key, options metav1.ListOptions) (runtime.Object, error)
	Watch(ctx context.Context, watched key, options metav1.ListOptions) (apiwatch.Interface, error)
}

// runner runs watches.
type runner struct {
	api  api
	log  logr.Logger
	pace *rate.Limiter

	// told bounds the lines that are logged when many watches fail for the same reason.
	told rate.Sometimes
}

func newRunner(of api, log logr.Logger) *runner {
	return &runner{api: of, log: log, pace: rate.NewLimiter(startsPerSecond, startsBurst), told: rate.Sometimes{Interval: 10 * time.Second}}
}

// run keeps on a shelf what a key names, until the context ends.
func (r *runner) run(ctx context.Context, watched key, on *shelf) {
	if r.pace.Wait(ctx) != nil {
		return
	}
	selector := watched.selector().String()
	listerWatcher := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			return r.api.List(ctx, watched, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (apiwatch.Interface, error) {
			options.FieldSelector = selector
			return r.api.Watch(ctx, watched, options)
		},
	}
	// The API server streams a list, one object after the other, where it can.
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(listerWatcher, r.api), nil, on, cache.ReflectorOptions{
		Name: "watched", TypeDescription: string(watched.kind), MinWatchTimeout: renewal,
	})
	reflector.WatchListPageSize = pageSize
	_ = retry.DelayWithReset(clock.RealClock{}, forgivenAfter).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := reflector.ListAndWatchWithContext(ctx); err != nil {
			r.told.Do(func() {
				r.log.Error(err, "a watch failed, and is tried again", "kind", watched.kind, "namespace", watched.namespace, "name", watched.name)
			})
		}
		return false, nil
	})
}
