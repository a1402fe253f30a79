package view

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// stage is a hub in a synctest bubble, the objects of its cluster, and the view of node-1.
type stage struct {
	*testing.T
	*Hub
	cluster *cluster
	shown   *screen
}

func onStage(t *testing.T, test func(s *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(newStage(t)) })
}

// newStage returns a stage on which the issuer of node-1 runs.
func newStage(t *testing.T) *stage {
	c := &cluster{objects: map[signerapi.ViewKey]map[string]any{}, pods: map[string]*corev1.Pod{}}
	s := &stage{T: t, Hub: NewHub(c, c, logr.Discard()), cluster: c}
	c.hub = s.Hub
	c.set(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}})
	c.setPod(issuerPod("node-1"))
	return s
}

// follow starts a view of node-1, which ends with the test.
func (s *stage) follow() {
	s.shown = s.followNode("node-1", "uid-issuer-node-1")
	synctest.Wait()
}

func (s *stage) followNode(node, issuerUID string) *screen {
	ctx, cancel := context.WithCancel(s.Context())
	shown := &screen{TB: s.T, parts: map[signerapi.ViewKey][]string{}, unknown: map[signerapi.ViewKey]bool{}, ended: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(shown.ended)
		shown.err = s.Follow(ctx, node, issuerUID, shown)
	}()
	s.Cleanup(func() {
		cancel()
		<-shown.ended
	})
	return shown
}

// wantParts checks the keys of the view, written as KIND NAMESPACE/NAME, without the Node and the issuer's pod.
func (s *stage) wantParts(want ...string) {
	s.Helper()
	got := s.shown.keys()
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmp.Transformer("list", func(l []string) string { return strings.Join(l, "\n") })); diff != "" {
		s.Fatalf("parts (-want +got):\n%s", diff)
	}
}

// wantObjects checks the names of the objects of a key.
func (s *stage) wantObjects(key signerapi.ViewKey, want ...string) {
	s.Helper()
	if got := s.shown.now()[key]; fmt.Sprint(got) != fmt.Sprint(want) {
		s.Fatalf("%v has %v, want %v", key, got, want)
	}
}

// screen is the other end of a view. It checks that what a pod depends on comes before the pod.
type screen struct {
	testing.TB

	mu       sync.Mutex
	parts    map[signerapi.ViewKey][]string
	unknown  map[signerapi.ViewKey]bool
	lines    []signerapi.ViewChange
	complete bool
	fails    error

	ended  chan struct{}
	cancel context.CancelFunc
	err    error
}

func (s *screen) Write(line []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var change signerapi.ViewChange
	if err := json.Unmarshal(line, &change); err != nil || !strings.HasSuffix(string(line), "\n") {
		s.Errorf("line %q: %v", line, err)
	}
	s.lines = append(s.lines, change)
	switch {
	case s.fails != nil:
		return s.fails
	case change.Complete:
		s.complete = true
	case change.Kind == "":
	case change.Forgotten:
		delete(s.parts, change.ViewKey)
		s.unknown[change.ViewKey] = true
	default:
		s.take(change)
	}
	return nil
}

func (s *screen) take(change signerapi.ViewChange) {
	var names []string
	for _, object := range change.Objects {
		var named corev1.Pod
		if err := json.Unmarshal(object, &named); err != nil {
			s.Errorf("object %s: %v", object, err)
		}
		names = append(names, named.Name)
		if change.Kind == signerapi.ViewPod && len(named.Spec.Volumes) > 0 {
			s.wantDependencies(&named)
		}
	}
	s.parts[change.ViewKey] = names
}

func (s *screen) wantDependencies(pod *corev1.Pod) {
	for _, key := range keysOf(subjectOf(pod), nil) {
		if _, found := s.parts[key]; !found && !s.unknown[key] {
			s.Errorf("pod %s is shown before %v", pod.Name, key)
		}
	}
}

func (s *screen) Flush() error { return nil }

// now returns the names of the objects of each part.
func (s *screen) now() map[signerapi.ViewKey][]string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.parts)
}

// sent returns the lines so far.
func (s *screen) sent() []signerapi.ViewChange {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func (s *screen) isComplete() bool {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.complete
}

// fail makes later lines fail.
func (s *screen) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = err
}

// keys returns the keys of the view without the Node and the issuer's pod.
func (s *screen) keys() []string {
	var keys []string
	for key := range s.now() {
		if key.Kind != signerapi.ViewNode && !strings.HasPrefix(key.Name, "uid-issuer-") {
			keys = append(keys, written(key))
		}
	}
	slices.Sort(keys)
	return keys
}

func written(key signerapi.ViewKey) string {
	return fmt.Sprintf("%s %s/%s", key.Kind, key.Namespace, key.Name)
}

func identityKey(name string) signerapi.ViewKey {
	return signerapi.ViewKey{Kind: signerapi.ViewIdentity, Name: name}
}

func issuerPod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "imds", Name: "issuer-" + node, UID: types.UID("uid-issuer-" + node)},
		Spec:       corev1.PodSpec{NodeName: node},
	}
}

// newPod returns a pod of the ServiceAccount shop/orders on node-1 that asks for identities.
func newPod(name, asks string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: "node-1", ServiceAccountName: "orders", Volumes: []corev1.Volume{build.IssuerToken()}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning},
	}
	if asks != "" {
		pod.Annotations = map[string]string{v1alpha1.IdentityAnnotation: asks}
	}
	return pod
}

// account and namespace return the metadata of a ServiceAccount of the namespace shop, and of a namespace.
func account(name, asks string) *metav1.PartialObjectMetadata {
	made := directory.Metadata("ServiceAccount")
	made.Namespace, made.Name, made.UID = "shop", name, types.UID("uid-"+name)
	if asks != "" {
		made.Annotations = map[string]string{v1alpha1.IdentityAnnotation: asks}
	}
	return made
}

func namespace(name string) *metav1.PartialObjectMetadata {
	made := directory.Metadata("Namespace")
	made.Name = name
	return made
}

// newIdentity returns a ready identity that admits the namespace shop.
func newIdentity(name string) *v1alpha1.ManagedIdentity {
	return build.NewIdentity(name).Admitting("shop", "*").Ready().ManagedIdentity
}

func newBinding(name, account string, identities ...string) *v1alpha1.IdentityBinding {
	return build.NewBinding("shop", name).Of(account).To(identities...).IdentityBinding
}

// newLoadBalancer returns a Service of the namespace shop that selects the pod of a name.
func newLoadBalancer(name, pod string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": pod}},
	}
}
