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
	// startsPerSecond bounds how fast watches start, so that pods that come and go all day do not keep the API server busy.
	// An issuer that starts on a full node starts all of them at once.
	startsPerSecond = 100
	startsBurst     = 1000

	// pageSize is the page size of lists that the API server does not stream.
	pageSize = 500

	// renewal is the minimum time that the API server is asked to keep a watch open; the maximum is twice as long.
	renewal = 30 * time.Minute
)

// retry is the backoff of a failed watch, the same as elsewhere in Kubernetes: all issuers lose their API server at the
// same time.
var retry = wait.Backoff{Duration: 800 * time.Millisecond, Factor: 2, Jitter: 1, Cap: 30 * time.Second, Steps: math.MaxInt32}

// forgivenAfter is the time without a failure after which the backoff starts over.
const forgivenAfter = 2 * time.Minute

// api lists and watches the objects of keys.
type api interface {
	List(ctx context.Context, watched key, options metav1.ListOptions) (runtime.Object, error)
	Watch(ctx context.Context, watched key, options metav1.ListOptions) (apiwatch.Interface, error)
}

// runner runs watches.
type runner struct {
	api  api
	log  logr.Logger
	pace *rate.Limiter

	// logged limits the log when many watches fail for the same reason.
	logged rate.Sometimes
}

func newRunner(of api, log logr.Logger) *runner {
	return &runner{api: of, log: log, pace: rate.NewLimiter(startsPerSecond, startsBurst), logged: rate.Sometimes{Interval: 10 * time.Second}}
}

// run keeps the objects of a key on a shelf until the context ends.
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
	// The API server streams a list object by object, if it can.
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(listerWatcher, r.api), nil, on, cache.ReflectorOptions{
		Name: "watched", TypeDescription: string(watched.kind), MinWatchTimeout: renewal,
	})
	reflector.WatchListPageSize = pageSize
	_ = retry.DelayWithReset(clock.RealClock{}, forgivenAfter).Until(ctx, true, true, func(ctx context.Context) (bool, error) {
		if err := reflector.ListAndWatchWithContext(ctx); err != nil {
			r.logged.Do(func() {
				r.log.Error(err, "a watch failed, and is tried again", "kind", watched.kind, "namespace", watched.namespace, "name", watched.name)
			})
		}
		return false, nil
	})
}
