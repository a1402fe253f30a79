package view

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// stage is a View in a synctest bubble, and the signer that shows it.
type stage struct {
	*testing.T
	*View
	changes *directory.Changes

	mu      sync.Mutex
	signer  *io.PipeWriter
	asked   int
	refused error
}

func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, changes: directory.NewChanges()}
		s.View = New(s.answer, s.changes, disruption.NewTaintTimes(time.Now), logr.Discard())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Start(ctx) }()
		test(s)
		cancel()
		s.end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// answer answers a request for a view, as the signer's client does: the view ends with the context.
func (s *stage) answer(ctx context.Context) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.refused != nil {
		return nil, s.refused
	}
	reader, writer := io.Pipe()
	s.signer = writer
	context.AfterFunc(ctx, func() { _ = writer.CloseWithError(ctx.Err()) })
	return reader, nil
}

// connection waits for a view, and returns the signer's end of it.
func (s *stage) connection() *io.PipeWriter {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signer
}

// show sends changes.
func (s *stage) show(changes ...signerapi.ViewChange) {
	s.Helper()
	for _, change := range changes {
		line, err := json.Marshal(change)
		if err != nil {
			s.Fatal(err)
		}
		s.send(string(line) + "\n")
	}
}

func (s *stage) send(text string) {
	s.Helper()
	_, _ = io.WriteString(s.connection(), text)
	synctest.Wait()
}

// end ends the view as a signer does that stops.
func (s *stage) end() {
	if one := s.connection(); one != nil {
		_ = one.Close()
	}
}

// refuse makes later requests fail; nil ends that.
func (s *stage) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

func (s *stage) requests() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// isWoken reports whether a channel of changes is closed.
func isWoken(changed <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

// objects returns a change of a key to objects, and the pods that depend on it.
func objects(key signerapi.ViewKey, pods []string, all ...any) signerapi.ViewChange {
	change := signerapi.ViewChange{ViewKey: key, Pods: pods}
	for _, one := range all {
		rendered, err := json.Marshal(one)
		if err != nil {
			panic(err)
		}
		change.Objects = append(change.Objects, rendered)
	}
	return change
}

func shownPod(uid string) signerapi.ViewChange {
	return objects(podKey(uid), []string{uid}, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod-" + uid, UID: types.UID(uid)}})
}

func podKey(uid string) signerapi.ViewKey {
	return signerapi.ViewKey{Kind: signerapi.ViewPod, Name: uid}
}

func shownIdentity(name, clientID string, pods ...string) signerapi.ViewChange {
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	identity.Spec.ClientID = v1alpha1.GUID(clientID)
	return objects(identityKey(name), pods, identity)
}

func identityKey(name string) signerapi.ViewKey {
	return signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: name}
}

func forgotten(key signerapi.ViewKey, pods ...string) signerapi.ViewChange {
	return signerapi.ViewChange{ViewKey: key, Forgotten: true, Pods: pods}
}

var complete = signerapi.ViewChange{Complete: true}

// wantPod checks whether a pod is known.
func (s *stage) wantPod(uid string, want bool) {
	s.Helper()
	pod, err := s.Pod(s.Context(), uid)
	if err != nil || (pod != nil) != want {
		s.Errorf("pod %s: %v, error %v", uid, pod, err)
	}
}

func TestEveryKindIsKnown(t *testing.T) {
	onStage(t, func(s *stage) {
		ctx := s.Context()
		key := func(kind signerapi.ViewKind, namespace, name string) signerapi.ViewKey {
			return signerapi.ViewKey{Kind: kind, Namespace: namespace, Name: name}
		}
		named := metav1.ObjectMeta{Name: "it"}
		s.show(
			objects(key(signerapi.ViewNode, "", "node-1"), nil, &corev1.Node{ObjectMeta: named}),
			objects(key(signerapi.ViewServiceAccount, "shop", "orders"), nil, &metav1.PartialObjectMetadata{ObjectMeta: named}),
			objects(key(signerapi.ViewNamespace, "", "shop"), nil, &metav1.PartialObjectMetadata{ObjectMeta: named}),
			objects(key(signerapi.ViewBindings, "shop", ""), nil, &v1alpha1.IdentityBinding{ObjectMeta: named}, &v1alpha1.IdentityBinding{}),
			objects(key(signerapi.ViewLoadBalancers, "shop", ""), nil, &corev1.Service{ObjectMeta: named}),
			objects(key(signerapi.ViewIdentity, "", "missing"), nil),
			objects(key("Later", "", "kind"), nil, named),
			shownIdentity("orders", "client"), shownPod("a"), complete,
		)
		node, err := s.Node(ctx, "node-1")
		if err != nil || node.Name != "it" {
			t.Errorf("node = %v, error %v", node, err)
		}
		account, err := s.ServiceAccount(ctx, "shop", "orders")
		if err != nil || account.Name != "it" {
			t.Errorf("ServiceAccount = %v, error %v", account, err)
		}
		namespace, err := s.Namespace(ctx, "shop")
		if err != nil || namespace.Name != "it" {
			t.Errorf("namespace = %v, error %v", namespace, err)
		}
		bindings, err := s.Bindings(ctx, "shop")
		if err != nil || len(bindings) != 2 || bindings[0].Name != "it" {
			t.Errorf("bindings = %v, error %v", bindings, err)
		}
		services, err := s.LoadBalancers(ctx, "shop")
		if err != nil || len(services) != 1 || services[0].Name != "it" {
			t.Errorf("load balancers = %v, error %v", services, err)
		}
		identity, err := s.Identity(ctx, "orders")
		if err != nil || identity.Spec.ClientID != "client" {
			t.Errorf("identity = %v, error %v", identity, err)
		}
		for _, name := range []string{"missing", "Impossible!"} {
			if identity, err := s.Identity(ctx, name); err != nil || identity != nil {
				t.Errorf("identity %s = %v, error %v", name, identity, err)
			}
		}
		s.wantPod("a", true)
		s.wantPod("b", false)
	})
}

// Nothing is decided by what is not known.
func TestUnknownIsNotMissing(t *testing.T) {
	onStage(t, func(s *stage) {
		if _, err := s.Pod(s.Context(), "a"); !errors.Is(err, directory.ErrNotKnown) || s.Ready() {
			t.Errorf("before the view is complete: error %v, ready: %t", err, s.Ready())
		}
		s.show(complete)
		if !s.Ready() {
			t.Error("a complete view is not ready")
		}
		s.wantPod("a", false)
		for what, look := range map[string]func(context.Context) error{
			"node":           func(ctx context.Context) error { _, err := s.Node(ctx, "node-1"); return err },
			"ServiceAccount": func(ctx context.Context) error { _, err := s.ServiceAccount(ctx, "shop", "orders"); return err },
			"namespace":      func(ctx context.Context) error { _, err := s.Namespace(ctx, "shop"); return err },
			"identity":       func(ctx context.Context) error { _, err := s.Identity(ctx, "orders"); return err },
			"bindings":       func(ctx context.Context) error { _, err := s.Bindings(ctx, "shop"); return err },
			"load balancers": func(ctx context.Context) error { _, err := s.LoadBalancers(ctx, "shop"); return err },
		} {
			if err := look(s.Context()); !errors.Is(err, directory.ErrNotKnown) {
				t.Errorf("%s: error %v", what, err)
			}
		}
	})
}

func TestChangesWakeWhomTheyConcern(t *testing.T) {
	onStage(t, func(s *stage) {
		s.show(shownIdentity("orders", "one", "a"), shownPod("a"), shownPod("b"), complete)
		concerned, other := s.changes.Of("a"), s.changes.Of("b")
		s.show(shownIdentity("orders", "one", "a"))
		if isWoken(concerned) {
			t.Error("what was known already wakes a pod")
		}
		s.show(shownIdentity("orders", "two", "a"))
		if !isWoken(concerned) || isWoken(other) {
			t.Errorf("the identity's pod is woken: %t, another: %t", isWoken(concerned), isWoken(other))
		}
		for what, change := range map[string]signerapi.ViewChange{
			"forgotten identity": forgotten(identityKey("orders"), "a"), "forgotten pod": forgotten(podKey("a"), "a"),
		} {
			concerned = s.changes.Of("a")
			if s.show(change); !isWoken(concerned) {
				t.Errorf("%s does not wake the pod", what)
			}
		}
		s.wantPod("a", false)
		if _, err := s.Identity(s.Context(), "orders"); !errors.Is(err, directory.ErrNotKnown) {
			t.Errorf("a forgotten identity: error %v", err)
		}
	})
}

// While no signer is there, and until the next view is complete, everything is as it was.
func TestKnownStaysKnownUntilTheNextViewIsComplete(t *testing.T) {
	onStage(t, func(s *stage) {
		s.show(shownIdentity("orders", "one", "a"), shownPod("a"), shownPod("gone"), complete)
		gone, staying := s.changes.Of("gone"), s.changes.Of("a")
		s.refuse(errors.New("no signer is there"))
		s.end()
		time.Sleep(time.Hour)
		s.wantPod("gone", true)
		if !s.Ready() {
			t.Error("not ready without a signer")
		}
		s.refuse(nil)
		time.Sleep(20 * time.Second)
		s.show(shownIdentity("orders", "one", "a"), shownPod("a"))
		s.wantPod("gone", true)
		s.show(complete)
		s.wantPod("gone", false)
		s.wantPod("a", true)
		if !isWoken(gone) || isWoken(staying) {
			t.Errorf("woken: the pod that is gone: %t, the one that stays: %t", isWoken(gone), isWoken(staying))
		}
	})
}

func TestBrokenViewIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]func(s *stage){
		"signer stops":     func(s *stage) { s.end() },
		"line is no JSON":  func(s *stage) { s.send("nonsense\n") },
		"object is no pod": func(s *stage) { s.show(objects(podKey("c"), nil, "nonsense")) },
		"line is too long": func(s *stage) { s.send(strings.Repeat("x", signerapi.MaxChangeBytes+1)) },
		"signer is silent": func(*stage) { time.Sleep(patience + time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.show(shownPod("a"), complete)
				before := s.requests()
				breaks(s)
				time.Sleep(time.Second)
				if got := s.requests(); got != before+1 {
					t.Fatalf("%d more requests", got-before)
				}
				s.show(shownPod("b"), complete)
				s.wantPod("a", false)
				s.wantPod("b", true)
			})
		})
	}
}

func TestViewThatNeverBeginsIsAskedForAgain(t *testing.T) {
	onStage(t, func(s *stage) {
		before := s.requests()
		time.Sleep(patience + time.Second)
		if got := s.requests(); got != before+1 {
			t.Errorf("%d more requests", got-before)
		}
	})
}

// A view that says something now and then is not silent.
func TestQuietViewStays(t *testing.T) {
	onStage(t, func(s *stage) {
		s.show(complete)
		for range 100 {
			time.Sleep(signerapi.HeartbeatSeconds * time.Second)
			s.show(signerapi.ViewChange{})
		}
		if got := s.requests(); got != 1 {
			t.Errorf("%d requests", got)
		}
	})
}

// Issuers without a signer do not ask too often, and soon enough once it is back.
func TestRequestsForViewsAreBounded(t *testing.T) {
	onStage(t, func(s *stage) {
		s.refuse(errors.New("no signer is there"))
		s.end()
		time.Sleep(time.Hour)
		if got := s.requests(); got < 3600/6 || got > 3600/2 {
			t.Errorf("%d requests in an hour", got)
		}
		s.refuse(nil)
		time.Sleep(20 * time.Second)
		s.show(complete)
		s.end()
		time.Sleep(200 * time.Millisecond)
		s.show(shownPod("a"), complete)
		s.wantPod("a", true)
	})
}

// A taint that does not say when it was added was added when it was first seen, in whichever view.
func TestTaintsAreDated(t *testing.T) {
	onStage(t, func(s *stage) {
		node := &corev1.Node{Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "gone", Effect: corev1.TaintEffectNoExecute}}}}
		key := signerapi.ViewKey{Kind: signerapi.ViewNode, Name: "node-1"}
		s.show(objects(key, nil, node), complete)
		seen := time.Now().Truncate(time.Second)
		time.Sleep(10 * time.Second)
		node.Labels = map[string]string{"a": "b"}
		s.show(objects(key, nil, node))
		known, err := s.Node(s.Context(), "node-1")
		if err != nil || len(known.Spec.Taints) != 1 || !known.Spec.Taints[0].TimeAdded.Time.Equal(seen) || known.Labels["a"] != "b" {
			t.Errorf("node = %+v, error %v", known, err)
		}
	})
}

// BenchmarkChangeOfAnotherPod measures a change that concerns none of 250 held requests.
func BenchmarkChangeOfAnotherPod(b *testing.B) {
	changes := directory.NewChanges()
	v := New(nil, changes, disruption.NewTaintTimes(time.Now), logr.Discard())
	for n := range 250 {
		uid := fmt.Sprint("pod-", n)
		if err := v.apply(shownPod(uid), 1); err != nil {
			b.Fatal(err)
		}
		changes.Of(uid)
	}
	shown := []signerapi.ViewChange{shownIdentity("orders", "one", "other"), shownIdentity("orders", "two", "other")}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if err := v.apply(shown[n%2], 1); err != nil {
			b.Fatal(err)
		}
	}
}
