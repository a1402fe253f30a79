package signer

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kube-imds/kube-imds/internal/signer/view"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/bound"
)

// oneNode lists the pods of node-1, whatever node is asked for, and never tells of changes.
type oneNode struct {
	pods []corev1.Pod

	mu    sync.Mutex
	tells []*watch.RaceFreeFakeWatcher
}

func (o *oneNode) List(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
	return &corev1.PodList{Items: o.pods, ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
}

func (o *oneNode) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	made := watch.NewRaceFreeFake()
	o.tells = append(o.tells, made)
	return made, nil
}

func (o *oneNode) IsWatchListSemanticsUnSupported() bool { return true }

// add tells all watches of a pod.
func (o *oneNode) add(pod *corev1.Pod) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, one := range o.tells {
		one.Add(pod)
	}
}

// startViews serves views with short timeouts of requests. It also returns the lines of the audit log.
func (s *stage) startViews(t *testing.T) (*httptest.Server, *oneNode, <-chan string) {
	audit := make(chan string, 100)
	s.Server.Log = funcr.New(func(_, line string) { audit <- line }, funcr.Options{})
	pods := &oneNode{pods: []corev1.Pod{*issuerPod("node-1"), *pod("orders-0", "orders", "node-1", "orders")}}
	s.Views = view.NewHub(s.Directory.Source, pods, logr.Discard())
	served := httptest.NewUnstartedServer(s.Handler())
	served.Config.ReadTimeout, served.Config.WriteTimeout = 50*time.Millisecond, 50*time.Millisecond
	served.Start()
	t.Cleanup(served.Close)
	return served, pods, audit
}

// askView asks for a view, which ends with the test.
func askView(t *testing.T, served *httptest.Server, issuer bound.Token) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, served.URL+signerapi.ViewPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+issuer.Sign(t))
	response, err := served.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// A view lasts longer than requests may take.
func TestIssuerSeesItsNode(t *testing.T) {
	s := newStage(t)
	served, pods, audit := s.startViews(t)
	started := time.Now()
	response := askView(t, served, issuerOf("node-1"))
	lines, seen := bufio.NewScanner(response.Body), map[string]bool{}
	next := func() (change signerapi.ViewChange) {
		if !lines.Scan() {
			t.Fatalf("the view ends: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &change); err != nil {
			t.Fatal(err)
		}
		seen[string(change.Kind)+" "+change.Name] = true
		return change
	}
	for !next().Complete {
	}
	for _, want := range []string{"Node node-1", "Pod issuer-node-1-uid", "Pod orders-0-uid"} {
		if !seen[want] {
			t.Errorf("the view lacks %s: %v", want, seen)
		}
	}
	if line := <-audit; !strings.Contains(line, `"view" "node"="node-1"`) || !strings.Contains(line, `"outcome"="signed"`) {
		t.Errorf("audit log = %s", line)
	}
	for n := 0; time.Since(started) < 200*time.Millisecond; n++ {
		later := pod("later", "orders", "node-1", "")
		later.UID = types.UID(strings.Repeat("x", n+1))
		pods.add(later)
		for next().Name != string(later.UID) {
		}
	}
}

func TestViewsAreRefused(t *testing.T) {
	s := newStage(t)
	served, _, _ := s.startViews(t)
	deleted, former := issuerOf("node-1"), issuerOf("node-1")
	deleted.Workload.Pod = reference("issuer-deleted")
	former.Workload.Node.UID = "another"
	elsewhere := issuerOf("node-1")
	elsewhere.Workload.Pod = reference("issuer-node-2")
	other := issuerOf("node-1")
	other.Workload.ServiceAccount = reference("orders")
	for name, test := range map[string]struct {
		issuer bound.Token
		status int
		reason string
	}{
		"a pod's token":              {tokenOf("orders-0", "orders", "node-1"), http.StatusUnauthorized, "Unauthenticated"},
		"a deleted issuer":           {deleted, http.StatusForbidden, "UnknownPod"},
		"a former node of that name": {former, http.StatusForbidden, "OtherNode"},
		"an issuer of another node":  {elsewhere, http.StatusForbidden, "OtherNode"},
		"a pod that is no issuer's":  {other, http.StatusUnauthorized, "Unauthenticated"},
	} {
		response := askView(t, served, test.issuer)
		var refusal signerapi.Error
		text, err := io.ReadAll(response.Body)
		if err == nil {
			err = json.Unmarshal(text, &refusal)
		}
		if err != nil || response.StatusCode != test.status || refusal.Reason != test.reason {
			t.Errorf("%s: got %d %s, error %v", name, response.StatusCode, text, err)
		}
	}
}

// A stolen issuer's token does not keep the signer busy with views.
func TestRequestsForViewsAreLimited(t *testing.T) {
	s := newStage(t)
	s.Limits, s.Unauthenticated = NewNodeLimits(0.001, 1), rate.NewLimiter(1, 20)
	served, _, _ := s.startViews(t)
	askView(t, served, issuerOf("node-1"))
	if response := askView(t, served, issuerOf("node-1")); response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("status = %d, header %v", response.StatusCode, response.Header)
	}
}
