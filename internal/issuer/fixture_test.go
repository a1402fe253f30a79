package issuer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/keyset"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
	"github.com/kube-imds/kube-imds/internal/token"
)

// stage is a server of node-1 in a synctest bubble, with its audit log.
type stage struct {
	*testing.T
	*Server
	client  client.WithWatch
	changes *directory.Changes
	minter  *countingMinter
	audit   *auditLog

	// failing, if set, is the error of look-ups: of all, or those of failingKind.
	failing     error
	failingKind client.Object

	// revocations counts revocations of keys.
	revocations atomic.Int64

	stop func()
}

// onStage runs a test with a server for a world.
func onStage(t *testing.T, w *world, test func(s *stage)) {
	t.Helper()
	t.Parallel()
	bound.MakeKey(t) // outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stopping := make(chan struct{})
		s := &stage{T: t, changes: directory.NewChanges(), minter: &countingMinter{life: time.Hour}, audit: &auditLog{}}
		keys := startKeys(ctx)
		s.client = interceptor.NewClient(w.client(t), s.failingFuncs())
		s.stop = sync.OnceFunc(func() { close(stopping) })
		s.Server = &Server{
			NodeName:      "node-1",
			Authenticator: workload.NewAuthenticator(keys, issuerapi.Audience, time.Now).Within(issuerapi.TokenSeconds * time.Second),
			Assertions:    workload.NewAuthenticator(keys, assertionAudience, time.Now).Within(AssertionLife),
			Directory:     &directory.Directory{Source: directory.Caches{Reader: s.client}, Changes: s.changes},
			Minters:       mint.Minters{v1alpha1.TokenSourceLocal: s.minter},
			Metadata:      someDefaults,
			Revocations:   s.revocations.Load,
			Limits:        NewLimits(podLimits, time.Now),
			Log:           s.audit.logger(),
			Now:           time.Now,
			Stopping:      stopping,
		}
		test(s)
	})
}

// failingFuncs return functions that fail with s.failing.
func (s *stage) failingFuncs() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, o ...client.GetOption) error {
			if s.failing != nil && (s.failingKind == nil || reflect.TypeOf(s.failingKind) == reflect.TypeOf(object)) {
				return s.failing
			}
			return c.Get(ctx, key, object, o...)
		},
	}
}

// ask sends a request, and checks that no token leaks into the audit log or an error.
func (s *stage) ask(request *http.Request) *httptest.ResponseRecorder {
	s.Helper()
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, request)
	bearer := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	for _, token := range []string{bearer, mintedSecret} {
		if len(token) < 4 {
			continue
		}
		if strings.Contains(s.audit.text(), token) {
			s.Errorf("the log contains token %q:\n%s", token, s.audit.text())
		}
		if recorder.Code != http.StatusOK && strings.Contains(recorder.Body.String(), token) {
			s.Errorf("the error contains token %q:\n%s", token, recorder.Body)
		}
	}
	if !s.Failed() && recorder.Code != http.StatusNotModified && recorder.Header().Get("Cache-Control") != "no-store" {
		s.Errorf("response may be cached: %v", recorder.Header())
	}
	return recorder
}

// askToken sends a token request.
func (s *stage) askToken(who podToken, body string) *httptest.ResponseRecorder {
	s.Helper()
	request := s.request(who.sign(s.T), http.MethodPost, issuerapi.TokenPath, body)
	request.RemoteAddr = who.address + ":1024"
	return s.ask(request)
}

func (s *stage) request(bearer, method, path, body string) *http.Request {
	request := httptest.NewRequestWithContext(s.Context(), method, path, strings.NewReader(body))
	request.RemoteAddr = ordersAddress + ":1024"
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	return request
}

// update changes an object at the API server and notifies the server.
func (s *stage) update(object client.Object, change func()) {
	s.Helper()
	if err := s.client.Get(s.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		s.Fatal(err)
	}
	change()
	if err := s.client.Update(s.Context(), object); err != nil {
		s.Fatal(err)
	}
	s.changes.Notify()
}

// auditLog collects log lines.
type auditLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *auditLog) logger() logr.Logger {
	return funcr.NewJSON(func(line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
	}, funcr.Options{Verbosity: 10})
}

func (l *auditLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// entries returns the lines without the members that the logger adds.
func (l *auditLog) entries(t *testing.T) []map[string]any {
	t.Helper()
	entries := []map[string]any{}
	for line := range strings.Lines(l.text()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		delete(entry, "logger")
		delete(entry, "level")
		entries = append(entries, entry)
	}
	return entries
}

// podToken is the ServiceAccount token of a pod.
type podToken struct {
	audience, namespace, account, accountUID, pod, podUID, node string

	// age is the time since the token was issued, and life its validity; 0 means ten minutes.
	age, life time.Duration

	// address is the pod's.
	address string
}

// ordersAddress is the address of the world's pod.
const ordersAddress = "10.0.0.7"

// ordersPod returns the token of the world's pod.
func ordersPod() podToken {
	return podToken{issuerapi.Audience, "shop", "orders", "account-uid", "orders-0", "pod-uid", "node-1", 2 * time.Minute, 0, ordersAddress}
}

func (p podToken) sign(t *testing.T) string {
	t.Helper()
	return boundToken(p).Sign(t)
}

func boundToken(p podToken) bound.Token {
	return bound.Token{Audience: p.audience, Age: p.age, Life: p.life, Workload: workload.Workload{
		Namespace:      p.namespace,
		ServiceAccount: workload.Reference{Name: p.account, UID: p.accountUID},
		Pod:            workload.Reference{Name: p.pod, UID: p.podUID},
		Node:           workload.Reference{Name: p.node, UID: "node-uid"},
	}}
}

// startKeys starts the cluster's keys and waits for them.
func startKeys(ctx context.Context) *keyset.Keys {
	keys := workload.NewKeys(bound.Source{}, logr.Discard())
	go func() { _ = keys.Start(ctx) }()
	synctest.Wait()
	return keys
}

// mintedSecret is in every token of a countingMinter, and must appear nowhere else.
const mintedSecret = "minted-secret"

const (
	vault   = "https://vault.azure.net"
	storage = "https://storage.azure.com/"
)

// countingMinter numbers the tokens that it mints.
type countingMinter struct {
	life  time.Duration
	takes time.Duration
	err   error
	made  atomic.Int32
}

func (m *countingMinter) Mint(_ context.Context, request mint.Request) (mint.Minted, error) {
	number, now := m.made.Add(1), time.Now()
	time.Sleep(m.takes)
	if m.err != nil {
		return mint.Minted{}, m.err
	}
	return mint.Minted{Signed: token.Signed{
		Token: fmt.Sprintf("%s %d %s %s", mintedSecret, number, request.Identity.Name, request.Resource),
		ID:    fmt.Sprintf("token-%d", number), NotBefore: now, Expiry: now.Add(m.life),
	}}, nil
}

func (m *countingMinter) wantMade(t *testing.T, want int32) {
	t.Helper()
	if made := m.made.Load(); made != want {
		t.Errorf("%d tokens were minted, want %d", made, want)
	}
}
