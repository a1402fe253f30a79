package issuer

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/test/entra"
)

var entraPods = flag.Int("entra-pods", 60, "how many `pods` of a cold node ask at once in TestEntraColdNode")

// exchangeTakes is about as long as Entra ID takes for a token. Without it no pod would have to wait for another one's exchange.
const exchangeTakes = 200 * time.Millisecond

// All pods of a node ask at once for a token that its issuer does not have yet. Entra ID is asked once.
func TestEntraColdNode(t *testing.T) {
	e := startEntra(t, false)
	e.federate(t)
	pods := e.newNeighbours(t, *entraPods)
	e.entra.Fail(entra.Fault{Times: -1, Delay: exchangeTakes})

	disconnect(pods)
	cold := e.askAtOnce(t, pods)
	disconnect(pods)
	cached := e.askAtOnce(t, pods)
	kept := e.askAtOnce(t, pods)

	for n, token := range slices.Concat(cold.tokens, cached.tokens, kept.tokens) {
		if token == "" || token != cold.tokens[0] {
			t.Fatalf("answer %d has another token than the first", n)
		}
	}
	if asked := e.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: vault}); asked != 1 {
		t.Errorf("Entra ID was asked %d times, want once", asked)
	}
	exchange := time.Duration(e.metric(t, `kube_imds_issuer_exchange_seconds_sum{outcome="issued"}`) * float64(time.Second))
	t.Logf("%d pods of a node ask at once; the one exchange alone takes %s:\n%s", len(pods), exchange.Round(time.Millisecond),
		loadTable(exchange, cold, cached, kept))
}

// neighbour is a pod with an address, and so a connection, of its own.
type neighbour struct {
	bearer string
	http   *http.Client
}

// newNeighbours creates pods of the node, and waits until the issuer knows what they are granted.
func (e *entraTest) newNeighbours(t *testing.T, count int) []neighbour {
	t.Helper()
	made := make([]neighbour, count)
	for n := range made {
		address := fmt.Sprintf("127.1.%d.%d", n/250, n%250+1)
		pod := e.newPodAt(t, address, fmt.Sprintf("neighbour-%d", n))
		made[n] = neighbour{bearer: e.issuerProcess.bearer(t, pod), http: e.clientAt(address)}
	}
	for _, one := range made {
		eventually(t, "the issuer grants a pod the identity", func() error {
			a, err := e.post(t.Context(), one, issuerapi.IdentityPath, issuerapi.IdentityRequest{})
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("got %d %s", a.status, a.body)
			}
			return err
		})
	}
	return made
}

// disconnect closes the pods' connections: a sidecar's first request for a token needs a new one, because its request for the grant is
// held.
func disconnect(pods []neighbour) {
	for _, one := range pods {
		one.http.CloseIdleConnections()
	}
}

// load is what pods that asked at once got.
type load struct {
	tokens []string
	took   latencies
}

// askAtOnce lets all pods ask for the same token at the same moment, and checks that each gets one.
func (e *entraTest) askAtOnce(t *testing.T, pods []neighbour) load {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got := load{make([]string, len(pods)), make(latencies, len(pods))}
	begin := make(chan struct{})
	var ready, asking sync.WaitGroup
	for n, one := range pods {
		ready.Add(1)
		asking.Go(func() {
			ready.Done()
			<-begin
			began := time.Now()
			a, err := e.post(ctx, one, issuerapi.TokenPath, issuerapi.TokenRequest{Resource: vault})
			got.took[n] = time.Since(began)
			var response issuerapi.TokenResponse
			if err != nil || a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &response) != nil {
				t.Errorf("pod %d: got %d %s, error %v", n, a.status, a.body, err)
			}
			got.tokens[n] = response.AccessToken
		})
	}
	ready.Wait()
	close(begin)
	asking.Wait()
	return got
}

// post sends a pod's request.
func (e *entraTest) post(ctx context.Context, from neighbour, path string, asked any) (answer, error) {
	body, err := json.Marshal(asked)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+issuerHost+path, strings.NewReader(string(body)))
	if err != nil {
		return answer{}, err
	}
	return e.doOver(from.http, request, from.bearer)
}

// loadTable returns the table for the documentation. Times depend on the machine, ratios less so.
func loadTable(exchange time.Duration, cold, cached, kept load) string {
	var table strings.Builder
	fmt.Fprintf(&table, "| %d pods ask at once for | median | p99 | slowest | p99 by the exchange | by a cached token |\n", len(cold.took))
	fmt.Fprintln(&table, strings.Repeat("| --- ", 6)+"|")
	for _, row := range []struct {
		name string
		took latencies
	}{
		{"a token that no pod has had", cold.took},
		{"a cached token", cached.took},
		{"a cached token, over kept connections", kept.took},
	} {
		slow := row.took.quantile(0.99)
		fmt.Fprintf(&table, "| %s | %d ms | %d ms | %d ms | %.1f× | %.1f× |\n",
			row.name, row.took.quantile(0.5).Milliseconds(), slow.Milliseconds(), row.took.quantile(1).Milliseconds(),
			times(slow, exchange), times(slow, cached.took.quantile(0.99)))
	}
	return table.String()
}
