package webhook

import (
	"context"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	cachetesting "k8s.io/client-go/tools/cache/testing"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/cluster/clientid"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// ownSecret is the Secret with the authority's certificates and the webhook's capabilities.
var ownSecret = client.ObjectKey{Namespace: "kube-imds-system", Name: "kube-imds-ca"}

// cluster returns the objects of a cluster of many namespaces with identities, and the capabilities in its Secret.
func cluster() ([]client.Object, capability.Set) {
	capabilities := capability.Set{}.Renew(time.Unix(1_700_000_000, 0))
	var bundle []byte
	for range 2 {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: make([]byte, 450)})...)
	}
	objects := append(shop(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: ownSecret.Namespace, Name: ownSecret.Name},
		Data:       map[string][]byte{"bundle": bundle, capability.SecretKey: capabilities.Encode()},
	})
	for n := range 200 {
		namespace := fmt.Sprint("team-", n)
		objects = append(objects, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
			build.NewIdentity(namespace).Admitting(namespace, "*").Ready(), build.NewBinding(namespace, "all").Of("*").To(namespace))
	}
	return plain(objects), capabilities
}

// cached returns the cache that the controller has, of these objects instead of an API server's.
func cached(b *testing.B, objects []client.Object) client.Reader {
	b.Helper()
	mapper := meta.NewDefaultRESTMapper(nil)
	for kind := range kinds(b).AllKnownTypes() {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	made, err := cache.New(&rest.Config{}, cache.Options{
		Scheme: kinds(b), Mapper: mapper,
		NewInformer: func(_ toolscache.ListerWatcher, kind runtime.Object, resync time.Duration, indexers toolscache.Indexers) toolscache.SharedIndexInformer {
			source := cachetesting.NewFakeControllerSource()
			for _, object := range objects {
				if object = inFormOf(kind, object); object != nil {
					source.Add(object)
				}
			}
			return toolscache.NewSharedIndexInformer(source, kind, resync, indexers)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := made.IndexField(b.Context(), &v1alpha1.ManagedIdentity{}, clientid.Field, clientid.Values); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- made.Start(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	return made
}

// inFormOf returns an object as a cache of a kind holds it; nil for one of another kind.
func inFormOf(kind runtime.Object, object client.Object) client.Object {
	metadata, partial := kind.(*metav1.PartialObjectMetadata)
	if !partial {
		if fmt.Sprintf("%T", kind) == fmt.Sprintf("%T", object) {
			return object
		}
		return nil
	}
	if fmt.Sprintf("%T", object) != "*v1."+metadata.Kind {
		return nil
	}
	return &metav1.PartialObjectMetadata{TypeMeta: metadata.TypeMeta, ObjectMeta: metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), Annotations: object.GetAnnotations(), Labels: object.GetLabels()}}
}
