package view

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// cluster is what the signer's caches hold, and the API server's pods.
type cluster struct {
	hub *Hub

	mu       sync.Mutex
	objects  map[signerapi.ViewKey]map[string]any
	pods     map[string]*corev1.Pod
	watchers []*podWatch
	away     error
}

// podWatch is a watch of the pods of a node.
type podWatch struct {
	*watch.RaceFreeFakeWatcher
	selector fields.Selector
}

// set creates or updates an object.
func (c *cluster) set(objects ...metav1.Object) {
	for _, object := range objects {
		key, _ := keyOf(object)
		c.mu.Lock()
		if c.objects[key] == nil {
			c.objects[key] = map[string]any{}
		}
		c.objects[key][object.GetName()] = object
		c.mu.Unlock()
		c.hub.Handler().OnUpdate(object, object)
	}
	synctest.Wait()
}

func (c *cluster) delete(objects ...metav1.Object) {
	for _, object := range objects {
		key, _ := keyOf(object)
		c.mu.Lock()
		delete(c.objects[key], object.GetName())
		c.mu.Unlock()
		c.hub.Handler().OnDelete(object)
	}
	synctest.Wait()
}

// setPod creates or updates pods.
func (c *cluster) setPod(pods ...*corev1.Pod) {
	for _, pod := range pods {
		c.mu.Lock()
		kind := watch.Added
		if _, found := c.pods[pod.Name]; found {
			kind = watch.Modified
		}
		c.pods[pod.Name] = pod
		c.tell(kind, pod)
		c.mu.Unlock()
	}
	synctest.Wait()
}

func (c *cluster) deletePod(pods ...*corev1.Pod) {
	for _, pod := range pods {
		c.mu.Lock()
		delete(c.pods, pod.Name)
		c.tell(watch.Deleted, pod)
		c.mu.Unlock()
	}
	synctest.Wait()
}

func (c *cluster) tell(kind watch.EventType, pod *corev1.Pod) {
	for _, one := range c.watchers {
		if !one.IsStopped() && one.selector.Matches(fieldsOf(pod)) {
			one.Action(kind, pod)
		}
	}
}

func fieldsOf(pod *corev1.Pod) fields.Set { return fields.Set{"spec.nodeName": pod.Spec.NodeName} }

// interrupt ends the watches of pods. What happens until they are renewed is seen by a list.
func (c *cluster) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.watchers {
		one.Action(watch.Error, &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Code: 410})
		one.Stop()
	}
	c.watchers = nil
}

// goAway makes requests fail; nil ends that.
func (c *cluster) goAway(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = err
}

// replace changes pods unnoticed.
func (c *cluster) replace(name string, successor *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.pods, name); successor != nil {
		c.pods[name] = successor
	}
}

func (c *cluster) List(_ context.Context, options metav1.ListOptions) (*corev1.PodList, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return nil, c.away
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}
	for _, pod := range c.pods {
		if fields.ParseSelectorOrDie(options.FieldSelector).Matches(fieldsOf(pod)) {
			list.Items = append(list.Items, *pod)
		}
	}
	return list, nil
}

func (c *cluster) Watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return nil, c.away
	}
	made := &podWatch{watch.NewRaceFreeFake(), fields.ParseSelectorOrDie(options.FieldSelector)}
	c.watchers = append(c.watchers, made)
	return made, nil
}

// IsWatchListSemanticsUnSupported returns true: lists are not streamed.
func (c *cluster) IsWatchListSemanticsUnSupported() bool { return true }

// find returns an object of a key, or nil.
func find[T any](c *cluster, key signerapi.ViewKey) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, _ := c.objects[key][key.Name].(T)
	return found, nil
}

func list[T any](c *cluster, key signerapi.ViewKey) ([]T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var objects []T
	for _, name := range slices.Sorted(maps.Keys(c.objects[key])) {
		objects = append(objects, *c.objects[key][name].(*T))
	}
	return objects, nil
}

var _ directory.Source = (*cluster)(nil)

// Pod is not asked for.
func (c *cluster) Pod(context.Context, string) (*corev1.Pod, error) {
	panic("the signer's own pods are not looked up")
}

func (c *cluster) Node(_ context.Context, name string) (*corev1.Node, error) {
	return find[*corev1.Node](c, signerapi.ViewKey{Kind: signerapi.ViewNode, Name: name})
}

func (c *cluster) ServiceAccount(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](c, signerapi.ViewKey{Kind: signerapi.ViewServiceAccount, Namespace: namespace, Name: name})
}

func (c *cluster) Namespace(_ context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	return find[*metav1.PartialObjectMetadata](c, signerapi.ViewKey{Kind: signerapi.ViewNamespace, Name: name})
}

func (c *cluster) Identity(_ context.Context, name string) (*v1alpha1.ManagedIdentity, error) {
	return find[*v1alpha1.ManagedIdentity](c, identityKey(name))
}

func (c *cluster) Bindings(_ context.Context, namespace string) ([]v1alpha1.IdentityBinding, error) {
	return list[v1alpha1.IdentityBinding](c, signerapi.ViewKey{Kind: signerapi.ViewBindings, Namespace: namespace})
}

func (c *cluster) LoadBalancers(_ context.Context, namespace string) ([]corev1.Service, error) {
	return list[corev1.Service](c, signerapi.ViewKey{Kind: signerapi.ViewLoadBalancers, Namespace: namespace})
}
