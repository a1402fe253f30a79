package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// issuerSizes are the sizes of the measurement of an issuer: of its node, and of what others have.
type issuerSizes struct {
	pods        int
	own, others population
}

const (
	// measuredNode is the node of the measured issuer.
	measuredNode = "measured"

	// starts is how often the issuer is started for the median of what its start costs.
	starts = 3

	// settling is how long an issuer is left alone before its memory is read.
	settling = 10 * time.Second

	// costWindow is how long an issuer is watched while others, or its own pods' objects, change.
	costWindow = 10 * time.Second

	// newPods is how many pods are created one after the other for the time to their first token.
	newPods = 40
)

// issuerResult is what was measured of an issuer in a cluster.
type issuerResult struct {
	others population
	starts []issuerStart
	signer memory

	// quiet is what the issuer uses in costWindow without changes, others with changes of others' objects, own with those of an identity
	// of its own pods.
	quiet, byOthers, byOwn cost

	// created has the time from a pod's creation to its first token, asked the time from when it has its own token.
	created, asked []time.Duration
}

// issuerStart is what was measured of a start.
type issuerStart struct {
	memory
	ready         time.Duration
	fromAPIServer int64
	fromSigner    int64
}

// cost is what changes cost an issuer.
type cost struct {
	changes       int
	fromAPIServer int64
	fromSigner    int64
	cpu           time.Duration
}

// measuring is the measurement of the issuer of a node.
type measuring struct {
	*installed
	issuerSizes
	pods   []*corev1.Pod
	signer *part
	next   int
}

// measureIssuer measures an issuer in an empty cluster, and in one where others have objects.
func measureIssuer(ctx context.Context, folder string, sizes issuerSizes) ([]issuerResult, error) {
	in, err := startInstalled(ctx, folder)
	if err != nil {
		return nil, err
	}
	defer in.stop()
	m := &measuring{installed: in, issuerSizes: sizes}
	if m.signer, err = in.startSigner(ctx, "signer", nil); err != nil {
		return nil, err
	}
	if err := m.populate(ctx); err != nil {
		return nil, err
	}
	empty, err := m.measure(ctx, population{})
	if err != nil {
		return nil, fmt.Errorf("in an empty cluster: %w", err)
	}
	if err := sizes.others.create(ctx, in); err != nil {
		return nil, err
	}
	if err := in.untilIdle(ctx, sizes.others.identities+sizes.others.bindings); err != nil {
		return nil, err
	}
	crowded, err := m.measure(ctx, sizes.others)
	if err != nil {
		return nil, fmt.Errorf("in a crowded cluster: %w", err)
	}
	return []issuerResult{empty, crowded}, nil
}

// populate creates the node, its pods and what they depend on, and the objects of others that will change.
func (m *measuring) populate(ctx context.Context) error {
	if err := m.own.create(ctx, m); err != nil {
		return err
	}
	for _, object := range bystanders() {
		if err := m.Create(ctx, object); err != nil {
			return fmt.Errorf("create %s: %w", object.GetName(), err)
		}
	}
	if err := m.untilAllReady(ctx, m.own.identities+1); err != nil {
		return err
	}
	if err := m.createNode(ctx, measuredNode); err != nil {
		return err
	}
	m.pods = make([]*corev1.Pod, m.issuerSizes.pods)
	return each(ctx, len(m.pods), 8, func(ctx context.Context, i int) error {
		m.pods[i] = m.own.pod(fmt.Sprintf("pod-%03d", i), measuredNode, i%m.own.identities)
		return m.run(ctx, m.pods[i], podAddress(i))
	})
}

// bystanders returns objects that none of the node's pods depends on, one of each kind.
func bystanders() []client.Object {
	const name = "bystander"
	meta := metav1.ObjectMeta{Namespace: name, Name: name}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&corev1.ServiceAccount{ObjectMeta: meta},
		build.NewIdentity(name).Admitting(name, "*").ManagedIdentity,
		build.NewBinding(name, name).Of(name).To(name).IdentityBinding,
		&corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{
			NodeName: homeNode, ServiceAccountName: name, Containers: []corev1.Container{{Name: "app", Image: "app"}},
			Volumes: []corev1.Volume{build.IssuerToken()},
		}},
	}
}

// measure measures in the cluster as it is now.
func (m *measuring) measure(ctx context.Context, others population) (issuerResult, error) {
	r := issuerResult{others: others}
	for i := range starts {
		fmt.Fprintf(os.Stderr, "starting the issuer, %d of %d …\n", i+1, starts)
		if err := m.measureStart(ctx, &r, i == starts-1); err != nil {
			return r, err
		}
	}
	return r, nil
}

// measureStart starts the issuer, lets its pods have tokens and wait for changes, and measures its memory; at last also the rest.
func (m *measuring) measureStart(ctx context.Context, r *issuerResult, last bool) error {
	toAPIServer, err := m.linkToAPIServer()
	if err != nil {
		return err
	}
	defer toAPIServer.close()
	m.next++
	issuer, err := m.startIssuer(ctx, measuredNode, fmt.Sprint(m.next), 0, toAPIServer, nil, m.signer.address)
	if err != nil {
		return err
	}
	start := issuerStart{ready: issuer.took, fromAPIServer: toAPIServer.received.Load(), fromSigner: issuer.toSigners.received.Load()}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	if err := m.askAll(ctx, waiting, issuer); err != nil {
		return err
	}
	if err := pause(ctx, settling); err != nil {
		return err
	}
	if start.memory, err = issuer.memory(ctx); err != nil {
		return err
	}
	r.starts = append(r.starts, start)
	if last {
		if err := m.measureChanges(ctx, r, issuer, toAPIServer); err != nil {
			return err
		}
		if err := m.measureNewPods(ctx, r, issuer); err != nil {
			return err
		}
		if r.signer, err = m.signer.memory(ctx); err != nil {
			return err
		}
	}
	return m.endIssuer(ctx, issuer)
}

// askAll gives every pod a token, and a sidecar's request that waits for changes.
func (m *measuring) askAll(ctx, waiting context.Context, issuer *nodeIssuer) error {
	return each(ctx, len(m.pods), 8, func(ctx context.Context, i int) error {
		asking, err := m.newSidecar(ctx, m.pods[i], issuer.part)
		if err != nil {
			return err
		}
		if err := asking.firstToken(ctx); err != nil {
			return err
		}
		go asking.hold(waiting)
		return nil
	})
}

// measureChanges measures what changes cost the issuer.
func (m *measuring) measureChanges(ctx context.Context, r *issuerResult, issuer *nodeIssuer, toAPIServer *link) (err error) {
	const ofOthers, ofOwn = 1000, 100
	objects := bystanders()
	label := func(ctx context.Context, i int) error {
		change := fmt.Sprintf(`{"metadata":{"labels":{"change":"%d"},"annotations":{"change":"%d"}}}`, i, i)
		return m.Patch(ctx, objects[i%len(objects)].DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(change)))
	}
	admit := func(ctx context.Context, i int) error {
		identity := build.NewIdentity(m.own.identityName(0)).ManagedIdentity
		change := fmt.Sprintf(`{"spec":{"assumableBy":[{"namespaces":["%s","other-%d"],"serviceAccounts":["*"]}]}}`, m.own.home(0), i)
		return m.Patch(ctx, identity, client.RawPatch(types.MergePatchType, []byte(change)))
	}
	for _, one := range []struct {
		into    *cost
		changes int
		change  func(ctx context.Context, i int) error
	}{{&r.quiet, 0, nil}, {&r.byOthers, ofOthers, label}, {&r.byOwn, ofOwn, admit}} {
		fmt.Fprintf(os.Stderr, "watching the issuer for %s with %d changes …\n", costWindow, one.changes)
		if *one.into, err = issuer.costOf(ctx, toAPIServer, one.changes, one.change); err != nil {
			return err
		}
	}
	return nil
}

// costOf makes changes, and returns what the issuer used in costWindow.
func (i *nodeIssuer) costOf(ctx context.Context, toAPIServer *link, changes int, change func(ctx context.Context, i int) error) (cost, error) {
	ends := time.After(costWindow)
	c := cost{changes: changes, fromAPIServer: -toAPIServer.received.Load(), fromSigner: -i.toSigners.received.Load()}
	before, err := i.CPU()
	if err != nil {
		return c, err
	}
	if err := each(ctx, changes, 4, change); err != nil {
		return c, fmt.Errorf("change objects: %w", err)
	}
	select {
	case <-ends:
	case <-ctx.Done():
		return c, ctx.Err()
	}
	after, err := i.CPU()
	c.fromAPIServer, c.fromSigner, c.cpu = c.fromAPIServer+toAPIServer.received.Load(), c.fromSigner+i.toSigners.received.Load(), after-before
	return c, err
}

// measureNewPods measures the time until a new pod has a token.
func (m *measuring) measureNewPods(ctx context.Context, r *issuerResult, issuer *nodeIssuer) error {
	fmt.Fprintf(os.Stderr, "creating %d pods, one after the other …\n", newPods)
	for n := range newPods {
		pod := m.own.pod(fmt.Sprintf("new-%d-%03d", m.next, n), measuredNode, n%m.own.identities)
		began := time.Now()
		if err := m.run(ctx, pod, podAddress(len(m.pods)+n)); err != nil {
			return err
		}
		asking, err := m.newSidecar(ctx, pod, issuer.part)
		if err != nil {
			return err
		}
		ready := time.Now()
		if err := asking.firstToken(ctx); err != nil {
			return err
		}
		r.created, r.asked = append(r.created, time.Since(began)), append(r.asked, time.Since(ready))
		asking.close()
		if err := m.Delete(ctx, pod, client.GracePeriodSeconds(0)); err != nil {
			return fmt.Errorf("delete pod %s: %w", pod.Name, err)
		}
	}
	slices.Sort(r.created)
	slices.Sort(r.asked)
	return nil
}

// pause waits for what only time shows.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
