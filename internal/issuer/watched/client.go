package watched

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// API reads from an API server. It asks for the metadata of ServiceAccounts and namespaces only.
type API struct {
	metadata   metadata.Interface
	ours, core rest.Interface
}

// NewAPI returns an API whose clients share connections.
func NewAPI(config *rest.Config, connections *http.Client, kinds *runtime.Scheme) (*API, error) {
	metadata, err := metadata.NewForConfigAndClient(config, connections)
	if err != nil {
		return nil, fmt.Errorf("make a client of metadata: %w", err)
	}
	of := func(group schema.GroupVersion) (rest.Interface, error) {
		made, err := apiutil.RESTClientForGVK(group.WithKind(""), false, false, config, serializer.NewCodecFactory(kinds), connections)
		if err != nil {
			return nil, fmt.Errorf("make a client of %s: %w", group, err)
		}
		return made, nil
	}
	ours, err := of(v1alpha1.GroupVersion)
	if err != nil {
		return nil, err
	}
	core, err := of(corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return &API{metadata, ours, core}, nil
}

// List lists the objects of a key.
func (a *API) List(ctx context.Context, watched key, options metav1.ListOptions) (runtime.Object, error) {
	switch watched.kind {
	case serviceAccount, namespaces:
		return a.metadataOf(watched).List(ctx, options)
	case identity:
		into := &v1alpha1.ManagedIdentityList{}
		return into, request(a.ours, "managedidentities", watched, options).Do(ctx).Into(into)
	case bindings:
		into := &v1alpha1.IdentityBindingList{}
		return into, request(a.ours, "identitybindings", watched, options).Do(ctx).Into(into)
	default:
		into := &corev1.ServiceList{}
		return into, request(a.core, "services", watched, options).Do(ctx).Into(into)
	}
}

// Watch watches the objects of a key.
func (a *API) Watch(ctx context.Context, watched key, options metav1.ListOptions) (apiwatch.Interface, error) {
	options.Watch = true
	switch watched.kind {
	case serviceAccount, namespaces:
		return a.metadataOf(watched).Watch(ctx, options)
	case identity:
		return request(a.ours, "managedidentities", watched, options).Watch(ctx)
	case bindings:
		return request(a.ours, "identitybindings", watched, options).Watch(ctx)
	default:
		return request(a.core, "services", watched, options).Watch(ctx)
	}
}

func (a *API) metadataOf(watched key) metadata.ResourceInterface {
	if watched.kind == namespaces {
		return a.metadata.Resource(corev1.SchemeGroupVersion.WithResource("namespaces"))
	}
	return a.metadata.Resource(corev1.SchemeGroupVersion.WithResource("serviceaccounts")).Namespace(watched.namespace)
}

func request(of rest.Interface, resource string, watched key, options metav1.ListOptions) *rest.Request {
	return of.Get().NamespaceIfScoped(watched.namespace, watched.namespace != "").Resource(resource).
		VersionedParams(&options, metav1.ParameterCodec)
}
