package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/scheme"
)

// cluster is the cluster under test.
type cluster struct {
	client.Client

	config *rest.Config
	kube   kubernetes.Interface

	// nodes are the names of two schedulable nodes.
	nodes [2]string

	// version is the tag of the images under test.
	version string

	// outside is the authority of what stands for hosts outside the cluster.
	outside *testCA
}

// connect opens the cluster that KUBECONFIG names.
func connect(t *testing.T) *cluster {
	t.Helper()
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		t.Skip("KUBECONFIG is not set: run `make test-e2e`, or set it to the kubeconfig of a kind cluster")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	must(t, err, "read KUBECONFIG")
	config.QPS, config.Burst = 100, 200
	config.WarningHandler = rest.NoWarnings{}
	log.SetLogger(logr.Discard())
	kube, err := kubernetes.NewForConfig(config)
	must(t, err, "make a client")
	kinds, err := scheme.New()
	must(t, err, "know the kinds")
	api, err := client.New(config, client.Options{Scheme: kinds})
	must(t, err, "make a client")
	c := &cluster{Client: api, config: config, kube: kube, version: chartVersion(t), outside: newTestCA(t)}
	c.nodes = c.twoNodes(t)
	return c
}

// twoNodes returns two schedulable nodes.
func (c *cluster) twoNodes(t *testing.T) [2]string {
	t.Helper()
	var nodes corev1.NodeList
	must(t, c.List(t.Context(), &nodes), "list the nodes")
	var names []string
	for _, node := range nodes.Items {
		if len(node.Spec.Taints) == 0 && !node.Spec.Unschedulable {
			names = append(names, node.Name)
		}
	}
	if len(names) < 2 {
		t.Fatalf("the cluster has %d schedulable nodes: the tests need two", len(names))
	}
	return [2]string{names[0], names[1]}
}

// namespace creates a namespace for the test, and waits until pods can be created in it.
func (c *cluster) namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}
	c.create(t, namespace)
	eventually(t, time.Minute, "the namespace has its ServiceAccount", func(ctx context.Context) error {
		return c.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: "default"}, &corev1.ServiceAccount{})
	})
	return namespace.Name
}

// identity creates a ManagedIdentity that admits every ServiceAccount of the namespaces, and waits until it is ready.
// It has the name of the test's namespace, because identities are cluster-wide.
func (c *cluster) identity(t *testing.T, name string, namespaces ...string) *v1alpha1.ManagedIdentity {
	t.Helper()
	identity := &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if len(namespaces) > 0 {
		identity.Spec.AssumableBy = []v1alpha1.Admission{{Namespaces: namespaces, ServiceAccounts: []string{"*"}}}
	}
	c.create(t, identity)
	// A controller that lost its lease in an outage of the API server acquires it again after a minute.
	eventually(t, 3*time.Minute, "the identity "+name+" is ready", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(identity), identity); err != nil {
			return err
		}
		return conditionIsTrue(identity.Status.Conditions, v1alpha1.ConditionReady)
	})
	return identity
}

// create creates an object, and deletes it when the test ends.
func (c *cluster) create(t *testing.T, object client.Object) {
	t.Helper()
	must(t, c.Create(t.Context(), object), "create %T %s", object, object.GetName())
	t.Cleanup(func() { c.delete(t, object) })
}

// delete removes an object, which may be gone already, and its kind with it.
func (c *cluster) delete(t *testing.T, object client.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := c.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if !apierrors.IsNotFound(err) && !apimeta.IsNoMatchError(err) {
		must(t, err, "delete %T %s", object, object.GetName())
	}
}

func conditionIsTrue(conditions []metav1.Condition, kind string) error {
	for _, condition := range conditions {
		if condition.Type == kind && condition.Status == metav1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("condition %s is not True in %v", kind, conditions)
}

// eventually waits until a condition returns nil, up to the deadline.
func eventually(t *testing.T, deadline time.Duration, what string, condition func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, deadline, true, func(ctx context.Context) (bool, error) {
		last = condition(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("timed out after %s waiting until %s: %v", deadline, what, last)
	}
}

func must(t *testing.T, err error, doing string, arguments ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(doing, arguments...), err)
	}
}
