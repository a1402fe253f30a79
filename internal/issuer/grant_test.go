package issuer

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// askGrant requests the grant. With a known ETag the request may be held.
func (s *stage) askGrant(known string) *httptest.ResponseRecorder {
	s.Helper()
	request := s.request(ordersPod().sign(s.T), http.MethodGet, issuerapi.GrantPath, "")
	if known != "" {
		request.Header.Set("If-None-Match", known)
	}
	return s.ask(request)
}

// etag returns the ETag of the current grant.
func (s *stage) etag() string {
	s.Helper()
	recorder := s.askGrant("")
	wantStatus(s.T, recorder, http.StatusOK)
	return recorder.Header().Get("ETag")
}

// hold requests a change of the grant, and returns a channel with the response.
func (s *stage) hold() <-chan *httptest.ResponseRecorder {
	known := s.etag()
	answered := make(chan *httptest.ResponseRecorder, 1)
	go func() { answered <- s.askGrant(known) }()
	synctest.Wait()
	select {
	case recorder := <-answered:
		s.Fatalf("request is not held: %d %s", recorder.Code, recorder.Body)
	default:
	}
	return answered
}

func TestGrantIsAnsweredAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		world *world
		known string
	}{
		"nothing known":      {newWorld(), ""},
		"nothing granted":    {newWorld(func(w *world) { w.bindings = nil }), ""},
		"another ETag known": {newWorld(), `"other"`},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				start := time.Now()
				recorder := s.askGrant(test.known)
				wantStatus(t, recorder, http.StatusOK)
				if waited := time.Since(start); waited != 0 {
					t.Errorf("answered after %s", waited)
				}
				// Only the revision: a sidecar needs no names and no IDs.
				var got map[string]string
				if err := json.Unmarshal(recorder.Body.Bytes(), &got); err != nil || len(got) != 1 {
					t.Fatalf("response = %s, error %v", recorder.Body, err)
				}
				if etag := recorder.Header().Get("ETag"); got["revision"] == "" || etag != `"`+got["revision"]+`"` {
					t.Errorf("revision = %q, ETag = %q", got["revision"], etag)
				}
			})
		})
	}
}

func TestGrantRequestIsHeldUntilTimeout(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		known, start := s.etag(), time.Now()
		recorder := s.askGrant(known)
		wantStatus(t, recorder, http.StatusNotModified)
		if waited := time.Since(start); waited != issuerapi.GrantWaitSeconds*time.Second {
			t.Errorf("answered after %s", waited)
		}
		if got := recorder.Header().Get("ETag"); got != known || recorder.Body.Len() > 0 {
			t.Errorf("ETag = %s, want %s; body %q", got, known, recorder.Body)
		}
	})
}

func TestGrantRequestIsHeldUntilTheServerStops(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		held, start := s.hold(), time.Now()
		s.stop()
		wantStatus(t, <-held, http.StatusNotModified)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("answered after %s", waited)
		}
	})
}

func TestGrantRequestIsHeldUntilTheGrantChanges(t *testing.T) {
	for name, test := range map[string]struct {
		change func(s *stage)
		want   int
	}{
		"identity added": {func(s *stage) {
			object := binding("orders")
			s.update(object, func() { object.Spec.Identities = []string{"orders", "bills"} })
		}, http.StatusOK},
		"identity withdrawn": {func(s *stage) {
			object := identity("orders")
			s.update(object, func() { object.Spec.AssumableBy = nil })
		}, http.StatusOK},
		"pod ended": {func(s *stage) {
			if err := s.client.Delete(s.Context(), newWorld().pod); err != nil {
				s.Fatal(err)
			}
			s.changes.Notify()
		}, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				held := s.hold()
				test.change(s)
				wantStatus(t, <-held, test.want)
			})
		})
	}
}

func TestGrantRequestIsHeldThroughOtherChanges(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		held, start := s.hold(), time.Now()
		for range 3 {
			time.Sleep(10 * time.Second)
			s.changes.Notify()
		}
		wantStatus(t, <-held, http.StatusNotModified)
		if waited := time.Since(start); waited != issuerapi.GrantWaitSeconds*time.Second {
			t.Errorf("answered after %s: other changes must not prolong the wait", waited)
		}
	})
}

func TestGrantIsRefusedToUnauthenticatedClients(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		wantStatus(t, s.ask(s.request("", http.MethodGet, issuerapi.GrantPath, "")), http.StatusUnauthorized)
		elsewhere := ordersPod()
		elsewhere.node = "node-2"
		wantStatus(t, s.ask(s.request(elsewhere.sign(t), http.MethodGet, issuerapi.GrantPath, "")), http.StatusForbidden)
	})
}

// revision returns the revision of the grant of a world's pod.
func revision(t *testing.T, w *world, reader client.Reader) string {
	t.Helper()
	decided, err := grant.Load(t.Context(), directory.Caches{Reader: reader}, w.pod, "account-uid")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := revisionOf(decided, 0)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func TestRevisionChangesWithWhatTokensDependOn(t *testing.T) {
	t.Parallel()
	two := []string{"orders", "bills"}
	start := newWorld(boundTo(two...))
	basic := revision(t, start, start.client(t))
	for name, test := range map[string]struct {
		change func(*world)
		same   bool
	}{
		"nothing":                  {func(*world) {}, true},
		"the identities' labels":   {func(w *world) { w.identities[0].Labels = map[string]string{"a": "b"} }, true},
		"the identities' state":    {func(w *world) { w.identities[0].Status.BoundServiceAccounts = new(int32) }, true},
		"a condition's time":       {func(w *world) { w.identities[0].Status.Conditions[0].LastTransitionTime = metav1.Unix(1, 0) }, true},
		"a condition's message":    {func(w *world) { w.identities[0].Status.Conditions[0].Message = "fine" }, true},
		"admission to others":      {func(w *world) { w.identities[0].Spec.AssumableBy[0].Namespaces = []string{"bank", "shop"} }, true},
		"the order of objects":     {func(w *world) { slices.Reverse(w.identities) }, true},
		"one more binding of it":   {func(w *world) { w.bindings = append(w.bindings, binding("z", "orders")) }, true},
		"a default":                {func(w *world) { w.bindings[0].Spec.DefaultIdentity = "orders" }, false},
		"one identity more":        {func(w *world) { boundTo("orders", "bills", "more")(w) }, false},
		"one identity less":        {func(w *world) { boundTo("orders")(w) }, false},
		"one more that is refused": {func(w *world) { w.bindings[0].Spec.Identities = []string{"orders", "bills", "none"} }, false},
		"identity does not exist":  {func(w *world) { w.identities = w.identities[:1] }, false},
		"identity is not ready":    {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Status.Conditions[0].Status = "False" }), false},
		"another client ID":        {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Status.ClientID = "x" }), false},
		"another principal ID":     {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Status.PrincipalID = "x" }), false},
		"another resource ID":      {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Status.ResourceID = "x" }), false},
		"another tenant":           {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Status.TenantID = "x" }), false},
		"other resources":          {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Spec.AllowedResources = []string{vault} }), false},
		"other types": {func(w *world) {
			for _, identity := range w.identities {
				identity.Spec.Type = v1alpha1.SystemAssigned
			}
		}, false},
		"another source": {withIdentity(func(i *v1alpha1.ManagedIdentity) { i.Spec.TokenSource = v1alpha1.TokenSourceEntra }), false},
		"another authority": {withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.Entra = &v1alpha1.EntraSettings{Authority: "https://login.microsoftonline.us"}
		}), false},
		"another lifetime": {withIdentity(func(i *v1alpha1.ManagedIdentity) {
			i.Spec.TokenLifetime = &metav1.Duration{Duration: time.Minute}
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(boundTo(two...), test.change)
			changed := revision(t, w, w.client(t))
			if same := changed == basic; same != test.same {
				t.Errorf("same revision: %t, want %t", same, test.same)
			}
		})
	}
}

// Caches list objects in any order.
func TestRevisionDoesNotDependOnTheOrderOfBindings(t *testing.T) {
	t.Parallel()
	w := newWorld(boundTo("orders", "bills"))
	w.bindings = []*v1alpha1.IdentityBinding{binding("a", "orders"), binding("b", "bills")}
	inOrder := w.client(t)
	reversed := interceptor.NewClient(inOrder, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, o ...client.ListOption) error {
			err := c.List(ctx, list, o...)
			if bindings, ok := list.(*v1alpha1.IdentityBindingList); ok {
				slices.Reverse(bindings.Items)
			}
			return err
		},
	})
	if revision(t, w, inOrder) != revision(t, w, reversed) {
		t.Error("the revision depends on the order of the bindings")
	}
}

// A restarted issuer must not make every sidecar of its node drop its tokens.
func TestRevisionDoesNotDependOnTheServer(t *testing.T) {
	t.Parallel()
	var etags []string
	for _, after := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(after)
			w := newWorld()
			etags = append(etags, revision(t, w, w.client(t)))
		})
	}
	if etags[0] != etags[1] {
		t.Errorf("ETags of two servers for one grant = %s, %s", etags[0], etags[1])
	}
}

// After a revocation of a key sidecars must drop their tokens, which only another revision makes them do.
func TestRevocationChangesTheRevision(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		bearer := ordersPod().sign(t)
		before := s.ask(s.request(bearer, http.MethodGet, issuerapi.GrantPath, "")).Header().Get("ETag")
		s.revocations.Add(1)
		after := s.ask(s.request(bearer, http.MethodGet, issuerapi.GrantPath, "")).Header().Get("ETag")
		if before == "" || before == after {
			t.Errorf("revision before = %s, after = %s", before, after)
		}
	})
}
