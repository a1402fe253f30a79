package issuer

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// lagging is a source that does not know some objects yet.
type lagging struct {
	directory.Source
	unknown string
}

func (l *lagging) ServiceAccount(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	if l.unknown == "ServiceAccount" {
		return nil, directory.ErrNotKnown
	}
	return l.Source.ServiceAccount(ctx, namespace, name)
}

func (l *lagging) Namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	if l.unknown == "namespace" {
		return nil, directory.ErrNotKnown
	}
	return l.Source.Namespace(ctx, name)
}

func (l *lagging) Bindings(ctx context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	if l.unknown == "bindings" {
		return nil, directory.ErrNotKnown
	}
	return l.Source.Bindings(ctx, namespace)
}

func (l *lagging) Identity(ctx context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	if l.unknown == "identity" {
		return nil, directory.ErrNotKnown
	}
	return l.Source.Identity(ctx, name)
}

func (l *lagging) LoadBalancers(ctx context.Context, namespace string) ([]corev1.Service, error) {
	if l.unknown == "load balancers" {
		return nil, directory.ErrNotKnown
	}
	return l.Source.LoadBalancers(ctx, namespace)
}

// The pod is two minutes old: missing objects are refused, and objects that are not known yet are waited for.
func TestUnknownObjectsAreWaitedFor(t *testing.T) {
	for _, unknown := range []string{"ServiceAccount", "namespace", "bindings", "identity"} {
		t.Run(unknown, func(t *testing.T) {
			onStage(t, newWorld(), func(s *stage) {
				source := &lagging{s.Directory.Source, unknown}
				s.Directory.Source = source
				start := time.Now()
				s.wantRefusal(s.askToken(ordersPod(), askVault), away)
				if waited := time.Since(start); waited != watchLag {
					t.Errorf("answered after %s", waited)
				}
				answered := make(chan int, 1)
				go func() { answered <- s.askToken(ordersPod(), askVault).Code }()
				synctest.Wait()
				source.unknown = ""
				s.changes.NotifyPod("pod-uid")
				if status := <-answered; status != http.StatusOK {
					t.Errorf("status once all is known = %d", status)
				}
			})
		})
	}
}

func TestUnknownLoadBalancersAreWaitedFor(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		s.Directory.Source = &lagging{s.Directory.Source, "load balancers"}
		request := s.request(ordersPod().sign(t), http.MethodGet, issuerapi.LoadBalancerPath, "")
		recorder := s.ask(request)
		if recorder.Code != http.StatusServiceUnavailable || recorder.Header().Get("Retry-After") == "" {
			t.Errorf("status = %d, header %v", recorder.Code, recorder.Header())
		}
	})
}

// The issuer watches what a pod depends on only if the pod has the volume with its token.
func TestPodWithoutTokenVolumeIsRefused(t *testing.T) {
	onStage(t, newWorld(withPod(func(p *corev1.Pod) { p.Spec.Volumes = nil })), func(s *stage) {
		s.wantRefusal(s.askToken(ordersPod(), askVault), notServed.because("NotInjected"))
	})
}
