package webhook

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/internal/grant"
)

// One pod that names what does not exist, or what nothing can be called, makes the API server read little.
func TestLiveReadsAreFew(t *testing.T) {
	t.Parallel()
	names := func(count int) string {
		var all []string
		for i := range count {
			all = append(all, fmt.Sprint("missing-", i))
		}
		return strings.Join(all, ",")
	}
	for name, test := range map[string]struct {
		asked string
		reads int
		want  string
	}{
		"as many as are asked for":  {names(maxLive), maxLive, "does not exist"},
		"one more":                  {names(maxLive + 1), maxLive, `ManagedIdentity "missing-4" is not known yet`},
		"as many as a pod may name": {names(grant.MaxIdentities), maxLive, "is not known yet"},
		"more than a pod may name":  {names(1000), 0, "more than 32 identities"},
		"names that nothing has":    {strings.Repeat("a", 254) + ",a/b,..", 0, "does not exist"},
		"those that exist":          {"orders,payments", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reads := 0
			m := newMutator(t, shop()...)
			m.lookup.live = interceptor.NewClient(reader(t), interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
					reads++
					return c.Get(ctx, key, object, options...)
				},
			})
			response := admit(t, m, newPod(test.asked))
			message := ""
			if response.Result != nil {
				message = response.Result.Message
			}
			if reads != test.reads || response.Allowed != (test.want == "") || !strings.Contains(message, test.want) {
				t.Errorf("%d live reads; allowed: %t, %s", reads, response.Allowed, message)
			}
		})
	}
}
