package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/signer/view"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// BenchmarkClusterViews measures the memory that a signer keeps for the views of its issuers, beside its caches: of nodes with 30 pods each,
// ten of which have IMDS. The issuers' connections are not in it.
func BenchmarkClusterViews(b *testing.B) {
	// The signer starts as many at once.
	const views = 500
	for b.Loop() {
		before := inUse()
		hub := view.NewHub(someSource{}, somePods{}, logr.Discard())
		ctx, cancel := context.WithCancel(b.Context())
		var working sync.WaitGroup
		complete, done := new(atomic.Int64), make(chan struct{})
		for n := range views {
			working.Go(func() {
				to := lastLine{func() {
					if complete.Add(1) == views {
						close(done)
					}
				}}
				// It ends with the context.
				_ = hub.Follow(ctx, nodeName(n), issuerOf(nodeName(n)), to)
			})
		}
		select {
		case <-done:
		case <-time.After(2 * time.Minute):
			b.Fatalf("%d of %d views are complete", complete.Load(), views)
		}
		each := float64(inUse()-before) / views
		b.ReportMetric(each/(1<<10), "KiB/view")
		b.ReportMetric(each*manyNodes/(1<<20), "MiB/5000views")
		cancel()
		working.Wait()
		runtime.KeepAlive(hub)
	}
	b.ReportMetric(0, "ns/op")
}

// inUse returns the bytes of heap and stacks in use.
func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

// lastLine calls a function when a view is complete.
type lastLine struct{ complete func() }

func (l lastLine) Write(line []byte) error {
	if strings.Contains(string(line), `"complete":true`) {
		l.complete()
	}
	return nil
}

func (l lastLine) Flush() error { return nil }

// somePods are the pods of all nodes.
type somePods struct{}

// IsWatchListSemanticsUnSupported tells client-go to list.
func (somePods) IsWatchListSemanticsUnSupported() bool { return true }

func (somePods) List(_ context.Context, options metav1.ListOptions) (*corev1.PodList, error) {
	_, node, found := strings.Cut(options.FieldSelector, "spec.nodeName=")
	if !found {
		return nil, errors.New("pods of all nodes are listed")
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	issuer := usualPod(node, "issuer", 0)
	issuer.UID = types.UID(issuerOf(node))
	list.Items = append(list.Items, *issuer)
	for k := range podsOfNode {
		pod := usualPod(node, fmt.Sprintf("orders-%02d-7d9c8b6f5-x2x4z", k), k%identitiesOfNode)
		if k < injectedOfNode {
			pod.Spec.Volumes = []corev1.Volume{build.IssuerToken()}
		}
		list.Items = append(list.Items, *pod)
	}
	return list, nil
}

func (somePods) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return watch.NewFake(), nil
}

// usualPod returns a pod of a usual size without IMDS.
func usualPod(node, name string, identity int) *corev1.Pod {
	p := population{namespaces: 4}
	pod := p.plainPod(name, node, identity)
	pod.UID = types.UID(node + "/" + name)
	pod.Annotations = map[string]string{"kubernetes.io/change-cause": "change of " + name}
	pod.Spec.Containers = nil
	for range 3 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Image: "registry.example/orders:1", Env: make([]corev1.EnvVar, 20), VolumeMounts: make([]corev1.VolumeMount, 5),
		})
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}}
	return pod
}

func issuerOf(node string) string { return node + "/issuer" }

// someSource has the objects that the pods depend on, as a signer's caches do: views keep none of them.
type someSource struct{ directory.Source }

func (someSource) Node(_ context.Context, name string) (*corev1.Node, error) {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (someSource) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	var n int
	_, _ = fmt.Sscanf(name, "account-%d", &n)
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{
		v1alpha1.IdentityAnnotation: population{}.identityName(n / accountsOf),
	}}}, nil
}

func (someSource) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (someSource) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	return build.NewIdentity(name).Admitting("space-000", "*").Ready().ManagedIdentity, nil
}

func (someSource) Bindings(context.Context, string) ([]v1alpha1.IdentityBinding, error) {
	return nil, nil
}

func (someSource) LoadBalancers(context.Context, string) ([]corev1.Service, error) { return nil, nil }
