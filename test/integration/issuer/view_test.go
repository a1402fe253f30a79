package issuer

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/signerapi"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// testOthersCostAnIssuerNothing checks that an issuer neither gets nor keeps objects that the pods of its node do not depend on: one
// that runs while a cluster grows, and one that starts when it has grown.
func testOthersCostAnIssuerNothing(t *testing.T, c *cluster) {
	const accounts, identities = 5000, 500
	small := c.startNode(t, "small")
	before := small.tap.received.Load()
	heap := small.metric(t, "go_memstats_heap_inuse_bytes")
	c.awaitCrowd(t, c.crowd(t, accounts, identities), identities)
	small.wantBound(t, "later")
	if sent := small.tap.received.Load() - before; sent > 512<<10 {
		t.Errorf("for %d ServiceAccounts and %d identities of other pods the issuer gets %d KiB", accounts, identities, sent>>10)
	}
	big := c.startNode(t, "big")
	t.Logf("the API server sends a new issuer %d KiB in a small cluster, %d KiB in a big one; memory %d and %d MiB; heap %.0f and %.0f MiB",
		before>>10, big.tap.received.Load()>>10, small.memory(t)>>20, big.memory(t)>>20, heap/(1<<20), big.metric(t, "go_memstats_heap_inuse_bytes")/(1<<20))
	if sent := big.tap.received.Load(); sent > before+256<<10 {
		t.Errorf("a new issuer gets %d KiB, and %d KiB in a small cluster", sent>>10, before>>10)
	}
	if big.memory(t) > small.memory(t)+16<<20 {
		t.Errorf("memory = %d MiB, and %d MiB in a small cluster", big.memory(t)>>20, small.memory(t)>>20)
	}
}

// testIssuerReadsNothing checks that the issuer's token for the API server shows nothing of the cluster, on whichever node it is stolen.
func testIssuerReadsNothing(t *testing.T, i *issuerProcess) {
	stolen := rest.AnonymousClientConfig(i.config)
	stolen.BearerToken = i.token(t, i.issuerPod(t, "node-1"), toPod(i.issuerPod(t, "node-1")))
	thief, err := client.New(stolen, client.Options{Scheme: i.Scheme()})
	must(t, err, "make a client")
	for _, list := range []client.ObjectList{
		&corev1.PodList{}, &corev1.ServiceAccountList{}, &corev1.NamespaceList{}, &corev1.NodeList{}, &corev1.ServiceList{}, &corev1.SecretList{},
		&corev1.ConfigMapList{}, &v1alpha1.ManagedIdentityList{}, &v1alpha1.IdentityBindingList{},
	} {
		if err := thief.List(t.Context(), list); !apierrors.IsForbidden(err) {
			t.Errorf("list %T: error %v", list, err)
		}
	}
}

// testViewHasOneNode checks what the token of node-1's issuer shows of the cluster: that node's pods and what they depend on, until the
// issuer's pod is gone.
func testViewHasOneNode(t *testing.T, i *issuerProcess) {
	thief := i.partPod(t, "issuer", "viewed")
	i.create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "viewed"}})
	h := i.newHome(t)
	here, there := h.newPlainPod(t, "here", "viewed"), h.newPod(t, "there", "node-2")
	bystander := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: h.name, Name: "bystander", Labels: map[string]string{"secret": "label"}},
		Spec: corev1.PodSpec{NodeName: "viewed", Containers: []corev1.Container{{
			Name: "app", Image: "app", Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}},
		}}}}
	i.create(t, bystander)

	view := i.openView(t, i.token(t, thief, toPod(thief).forSigner()))
	seen := map[signerapi.ViewKey]bool{}
	view.until(t, func(change signerapi.ViewChange) bool {
		seen[change.ViewKey] = true
		for _, object := range change.Objects {
			if strings.Contains(string(object), "secret") {
				t.Errorf("the view has %s", object)
			}
		}
		return change.Complete
	})
	for key, want := range map[signerapi.ViewKey]bool{
		{Kind: signerapi.ViewNode, Name: "viewed"}:                                    true,
		{Kind: signerapi.ViewPod, Name: string(here.UID)}:                             true,
		{Kind: signerapi.ViewPod, Name: string(bystander.UID)}:                        true,
		{Kind: signerapi.ViewServiceAccount, Namespace: h.name, Name: h.account.Name}: true,
		{Kind: signerapi.ViewPod, Name: string(there.UID)}:                            false,
		{Kind: signerapi.ViewIdentity, Name: h.identity.Name}:                         false,
	} {
		if seen[key] != want {
			t.Errorf("the view has %v: %t", key, seen[key])
		}
	}
	h.bind(t, "later", h.identity.Name)
	view.until(t, func(change signerapi.ViewChange) bool {
		return change.Name == h.identity.Name && len(change.Objects) == 1
	})
	i.delete(t, thief)
	view.untilEnd(t)
}

// openedView is a view that a thief of an issuer's token has opened.
type openedView struct{ lines *bufio.Scanner }

func (c *cluster) openView(t *testing.T, bearer string) openedView {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+signerHost+signerapi.ViewPath, nil)
	must(t, err, "make a request")
	request.Header.Set("Authorization", "Bearer "+bearer)
	response, err := c.signerHTTP().Do(request)
	must(t, err, "ask for a view")
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, signerapi.MaxChangeBytes)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("got %s", response.Status)
	}
	return openedView{lines}
}

// until reads changes until one is the awaited.
func (v openedView) until(t *testing.T, awaited func(signerapi.ViewChange) bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && v.lines.Scan(); {
		var change signerapi.ViewChange
		decode(t, v.lines.Bytes(), &change)
		if awaited(change) {
			return
		}
	}
	t.Fatalf("the view ends, or says something else for a minute: %v", v.lines.Err())
}

func (v openedView) untilEnd(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); v.lines.Scan(); {
		if time.Now().After(deadline) {
			t.Fatal("the view does not end within a minute")
		}
	}
}

// node is a node with an issuer and a pod that has had a token.
type node struct {
	*issuerProcess
	home home
	tap  *tap
}

func (c *cluster) startNode(t *testing.T, name string) node {
	t.Helper()
	c.create(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}})
	n := node{tap: c.newTap(t)}
	n.issuerProcess = c.startIssuerOf(t, name, n.tap.url)
	n.home = n.newHome(t)
	n.granted(t, n.home.newPod(t, "first", name), vault)
	return n
}

// wantBound checks that a new binding takes effect.
func (n node) wantBound(t *testing.T, name string) {
	t.Helper()
	pod := n.home.newPlainPod(t, name, "small")
	n.home.bind(t, name, n.home.identity.Name)
	n.granted(t, pod, vault)
	n.delete(t, pod)
}

// crowd creates objects that pods of other nodes could depend on.
func (c *cluster) crowd(t *testing.T, accounts, identities int) (name string) {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "crowd-"}}
	c.create(t, namespace)
	objects := make(chan client.Object)
	var working sync.WaitGroup
	for range 32 {
		working.Go(func() {
			for object := range objects {
				if err := c.Create(t.Context(), object); err != nil {
					t.Errorf("create %s: %v", object.GetName(), err)
				}
			}
		})
	}
	for n := range accounts {
		objects <- &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: fmt.Sprint("account-", n)}}
	}
	for n := range identities {
		objects <- build.NewIdentity(fmt.Sprintf("%s-%d", namespace.Name, n)).Admitting(namespace.Name, "*").ManagedIdentity
	}
	close(objects)
	working.Wait()
	return namespace.Name
}

// awaitCrowd waits until the controller has reconciled a crowd's identities, because later ones are queued behind them.
func (c *cluster) awaitCrowd(t *testing.T, crowd string, identities int) {
	t.Helper()
	for n := range identities {
		c.awaitReady(t, &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", crowd, n)}})
	}
}

// metric returns the value of one of the issuer's metrics.
func (i *issuerProcess) metric(t *testing.T, name string) float64 {
	t.Helper()
	text, err := read(i.metrics)
	must(t, err, "read the metrics")
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			must(t, err, "read the metric %s", name)
			return number
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// testLaterChangesTakeEffect starts with a pod that asks for nothing.
func testLaterChangesTakeEffect(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	pod := h.newPlainPod(t, "later", "node-1")
	bearer := i.bearer(t, pod)
	i.refused(t, bearer, http.StatusBadRequest)

	bound := h.bind(t, "later", h.identity.Name)
	i.grantedTo(t, bearer, vault)
	i.delete(t, bound)
	i.refused(t, bearer, http.StatusBadRequest)

	// The ServiceAccount names an identity that is created afterwards.
	name := h.name + "-named"
	metav1.SetMetaDataAnnotation(&h.account.ObjectMeta, v1alpha1.IdentityAnnotation, name)
	must(t, i.Update(t.Context(), h.account), "annotate the ServiceAccount")
	later := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: h.identity.Spec}
	i.create(t, later)
	i.grantedTo(t, bearer, vault)
	i.delete(t, later)
	a := i.ask(t, bearer, vault)
	for a.status == http.StatusOK {
		a = i.ask(t, bearer, vault)
	}
	if a.status != http.StatusBadRequest && a.status != http.StatusServiceUnavailable {
		t.Errorf("without the identity: got %d %s", a.status, a.body)
	}
}

// bind maps the ServiceAccount to an identity.
func (h home) bind(t *testing.T, name, identity string) *v1alpha1.IdentityBinding {
	t.Helper()
	bound := &v1alpha1.IdentityBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: h.name, Name: name},
		Spec:       v1alpha1.IdentityBindingSpec{ServiceAccounts: []string{h.account.Name}, Identities: []string{identity}},
	}
	h.create(t, bound)
	return bound
}
