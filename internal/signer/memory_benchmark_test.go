package signer

import (
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/slim"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// BenchmarkCluster measures the memory of a signer for a cluster of 5,000 nodes with 30 pods each, 50,000 ServiceAccounts and 10,000
// identities. Objects have a usual size, and are slimmed by the caches' transforms.
func BenchmarkCluster(b *testing.B) {
	for b.Loop() {
		before := heap()
		nodes := fill(b, 5_000, slim.Node, someNode, nil)
		afterNodes := heap()
		pods := fill(b, 150_000, slim.Subject, somePod, toolscache.Indexers{
			directory.PodUIDIndex: func(object any) ([]string, error) { return directory.IndexPodUID(object.(client.Object)), nil },
		})
		afterPods := heap()
		accounts := fill(b, 50_000, slim.Metadata, someAccount, nil)
		identities := fill(b, 10_000, slim.Identity, someIdentity, nil)
		after := heap()
		b.ReportMetric(float64(afterPods-afterNodes)/150_000, "B/pod")
		b.ReportMetric(float64(after-before)/(1<<20), "MiB")
		runtime.KeepAlive([]any{nodes, pods, accounts, identities})
	}
	b.ReportMetric(0, "ns/op")
}

// fill keeps objects as an informer does.
func fill(b *testing.B, count int, transform func(any) (any, error), made func(int) client.Object, indexers toolscache.Indexers) toolscache.Indexer {
	b.Helper()
	store := toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, indexers)
	for n := range count {
		slimmed, err := transform(made(n))
		if err != nil {
			b.Fatal(err)
		}
		if err := store.Add(slimmed); err != nil {
			b.Fatal(err)
		}
	}
	return store
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func metaOf(kind string, n int) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: fmt.Sprintf("team-%d", n%500), Name: fmt.Sprintf("%s-%d-7d9c8b6f5-x2x4z", kind, n),
		UID: types.UID(fmt.Sprintf("8c1f7b1e-2a3d-4c5b-9e8f-%012d", n)), ResourceVersion: fmt.Sprint(10_000_000 + n),
		Labels:      map[string]string{"app": kind, "team": fmt.Sprintf("team-%d", n%500), "version": fmt.Sprint(n)},
		Annotations: map[string]string{"kubernetes.io/change-cause": fmt.Sprintf("change %d", n)},
	}
}

func somePod(n int) client.Object {
	pod := &corev1.Pod{ObjectMeta: metaOf("orders", n), Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"}}
	pod.Annotations[v1alpha1.IdentityAnnotation] = fmt.Sprintf("identity-%d", n%10_000)
	pod.Spec = corev1.PodSpec{NodeName: fmt.Sprintf("node-%d.example.internal", n%5_000), ServiceAccountName: fmt.Sprintf("account-%d", n%50_000)}
	for range 3 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Image: fmt.Sprintf("registry.example/orders:%d", n), Env: make([]corev1.EnvVar, 20), VolumeMounts: make([]corev1.VolumeMount, 5),
		})
	}
	return pod
}

func someNode(n int) client.Object {
	node := &corev1.Node{ObjectMeta: metaOf("node", n), Status: corev1.NodeStatus{Images: make([]corev1.ContainerImage, 50)}}
	node.Spec.ProviderID = fmt.Sprintf("azure:///subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/node-%d", n)
	node.Labels[corev1.LabelTopologyRegion], node.Labels[corev1.LabelTopologyZone] = "westeurope", "westeurope-1"
	return node
}

func someAccount(n int) client.Object {
	return &metav1.PartialObjectMetadata{ObjectMeta: metaOf("account", n)}
}

func someIdentity(n int) client.Object {
	return build.NewIdentity(fmt.Sprintf("identity-%d", n)).Admitting(fmt.Sprintf("team-%d", n%500), "*").Ready().ManagedIdentity
}
