// Package configmap watches single ConfigMaps by which parts publish data to others.
package configmap

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Watch watches the data of a single ConfigMap, and needs no right to others.
type Watch struct {
	client kubernetes.Interface
	key    client.ObjectKey
	update func(data map[string]string)
}

// NewWatch returns a Watch that calls update with the data at first and after each change, and with nil after the ConfigMap was
// deleted. Calls do not overlap.
func NewWatch(config *rest.Config, key client.ObjectKey, update func(data map[string]string)) (*Watch, error) {
	made, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client to watch ConfigMap %s: %w", key, err)
	}
	return &Watch{made, key, update}, nil
}

// Start watches until the context ends.
func (w *Watch) Start(ctx context.Context) error {
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(w.client.CoreV1().RESTClient(), "configmaps", w.key.Namespace,
			fields.OneTermEqualSelector("metadata.name", w.key.Name)),
		ObjectType: &corev1.ConfigMap{},
		Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    w.handle,
			UpdateFunc: func(_, current any) { w.handle(current) },
			DeleteFunc: func(any) { w.update(nil) },
		},
	})
	controller.RunWithContext(ctx)
	return nil
}

func (w *Watch) handle(object any) {
	if one, ok := object.(*corev1.ConfigMap); ok {
		w.update(one.Data)
	}
}

// NeedLeaderElection returns false: every replica watches.
func (w *Watch) NeedLeaderElection() bool { return false }
