package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/testing/address"
	"github.com/kube-imds/kube-imds/internal/testing/scrape"
)

const (
	// podsOfNode is how many pods a node has, and injectedOfNode how many of them have IMDS. They ask for identitiesOfNode identities.
	podsOfNode       = 30
	injectedOfNode   = 10
	identitiesOfNode = 5

	// startsAtOnce is how many issuers start at once at first, and updatesAtOnce in a rolling update: the chart's surge of a tenth of
	// a hundred nodes.
	startsAtOnce  = 5
	updatesAtOnce = 10

	// returnPatience bounds the return of all views after a signer has ended.
	returnPatience = 2 * time.Minute
)

// nodesResult is what was measured of many nodes.
type nodesResult struct {
	nodes int

	// without and with are what the API server holds before the issuers start and while they run.
	without, with held

	// issuers is the memory of all of them, signers that of one signer each, before and while there are issuers.
	issuers                     memory
	signersWithout, signersWith []memory

	start, idle, update, signerEnd phase

	// ready has how long each issuer took to be ready in the rolling update, returned how long it took until the other signer showed each
	// view of the one that was killed. Both are sorted.
	ready, returned []time.Duration
}

// held is what the API server holds.
type held struct {
	watches, podWatches, mapWatches float64
	memory                          memory
}

// phase is what a phase of the measurement took.
type phase struct {
	took                       time.Duration
	requests                   requests
	fromAPIServer, fromSigners int64
	apiServerCPU, signersCPU   time.Duration
}

// fleet is the measurement of many nodes.
type fleet struct {
	*installed
	nodes       int
	population  population
	signers     []*part
	toAPIServer *link
	issuers     []*nodeIssuer
	// closed is what came over links of issuers that have ended.
	closed int64
}

// measureNodes measures many issuers with two signers.
func measureNodes(ctx context.Context, folder string, nodes int, idle time.Duration) (r nodesResult, err error) {
	r.nodes = nodes
	in, err := startInstalled(ctx, folder)
	if err != nil {
		return r, err
	}
	defer in.stop()
	f := &fleet{installed: in, nodes: nodes, population: populationOf(max(20, 2*nodes)), issuers: make([]*nodeIssuer, nodes)}
	if f.toAPIServer, err = in.linkToAPIServer(); err != nil {
		return r, err
	}
	defer f.toAPIServer.close()
	if err := f.populate(ctx); err != nil {
		return r, err
	}
	for _, name := range []string{"signer-1", "signer-2"} {
		signer, err := in.startSigner(ctx, name, nil)
		if err != nil {
			return r, err
		}
		f.signers = append(f.signers, signer)
	}
	return r, f.measure(ctx, &r, idle)
}

// populate creates the nodes, their pods, and what they depend on.
func (f *fleet) populate(ctx context.Context) error {
	if err := f.population.create(ctx, f); err != nil {
		return err
	}
	if err := f.untilAllReady(ctx, f.population.identities); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "creating %d nodes with %d pods each …\n", f.nodes, podsOfNode)
	err := each(ctx, f.nodes, 8, func(ctx context.Context, n int) error { return f.createNode(ctx, nodeName(n)) })
	if err != nil {
		return err
	}
	err = each(ctx, f.nodes*podsOfNode, 8, func(ctx context.Context, i int) error {
		n, k := i/podsOfNode, i%podsOfNode
		name, identity := fmt.Sprintf("pod-%03d-%02d", n, k), f.identityOf(n, k%identitiesOfNode)
		if k < injectedOfNode {
			return f.run(ctx, f.population.pod(name, nodeName(n), identity), podAddress(i))
		}
		return f.run(ctx, f.population.plainPod(name, nodeName(n), identity), podAddress(i))
	})
	if err != nil {
		return err
	}
	return f.untilIdle(ctx, 0)
}

func nodeName(n int) string { return fmt.Sprintf("node-%03d", n) }

// identityOf returns one of the identities of a node's pods. They are in four namespaces: the last one in the first one's.
func (f *fleet) identityOf(n, k int) int {
	if k == identitiesOfNode-1 {
		k = f.population.namespaces
	}
	return (identitiesOfNode*n + k) % f.population.identities
}

func (f *fleet) measure(ctx context.Context, r *nodesResult, idle time.Duration) (err error) {
	if r.without, err = f.held(ctx); err != nil {
		return err
	}
	if r.signersWithout, err = f.memoryOfSigners(ctx); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "starting %d issuers, %d at once …\n", f.nodes, startsAtOnce)
	if r.start, err = f.phase(ctx, func() error { return f.startAll(ctx, "first", startsAtOnce) }); err != nil {
		return err
	}
	if err := f.askEach(ctx); err != nil {
		return err
	}
	if err := pause(ctx, settling); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "counting requests for %s …\n", idle)
	if r.idle, err = f.phase(ctx, func() error { return pause(ctx, idle) }); err != nil {
		return err
	}
	if r.with, err = f.held(ctx); err != nil {
		return err
	}
	if r.signersWith, err = f.memoryOfSigners(ctx); err != nil {
		return err
	}
	for _, issuer := range f.issuers {
		one, err := issuer.memory(ctx)
		if err != nil {
			return err
		}
		r.issuers.resident, r.issuers.heap = r.issuers.resident+one.resident, r.issuers.heap+one.heap
	}
	fmt.Fprintf(os.Stderr, "replacing all issuers, %d at once …\n", updatesAtOnce)
	if r.update, err = f.phase(ctx, func() error { return f.startAll(ctx, "second", updatesAtOnce) }); err != nil {
		return err
	}
	r.ready = f.readyTimes()
	fmt.Fprintln(os.Stderr, "killing a signer …")
	r.signerEnd, err = f.phase(ctx, func() error {
		r.returned, err = f.killSigner(ctx)
		return err
	})
	return err
}

// held reads what the API server holds.
func (f *fleet) held(ctx context.Context) (held, error) {
	metrics, err := f.metrics(ctx)
	if err != nil {
		return held{}, err
	}
	const watches, watch = "apiserver_longrunning_requests", `verb="WATCH"`
	return held{
		watches:    metrics.Sum(watches, watch),
		podWatches: labelled(metrics, `resource="pods"`).Sum(watches, watch),
		mapWatches: labelled(metrics, `resource="configmaps"`).Sum(watches, watch),
		memory: memory{
			int64(metrics.Sum("process_resident_memory_bytes", "")), int64(metrics.Sum("go_memstats_heap_inuse_bytes", "")),
		},
	}, nil
}

// phase does something and returns what it took.
func (f *fleet) phase(ctx context.Context, do func() error) (p phase, err error) {
	if _, err := f.requests.next(); err != nil {
		return p, err
	}
	before, err := f.used(ctx)
	if err != nil {
		return p, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return p, err
	}
	p.took = time.Since(began)
	after, err := f.used(ctx)
	if err != nil {
		return p, err
	}
	p.fromAPIServer, p.fromSigners = after.fromAPIServer-before.fromAPIServer, after.fromSigners-before.fromSigners
	p.apiServerCPU, p.signersCPU = after.apiServerCPU-before.apiServerCPU, after.signersCPU-before.signersCPU
	p.requests, err = f.requests.next()
	return p, err
}

// used returns what has been used since the start.
func (f *fleet) used(ctx context.Context) (p phase, err error) {
	p.fromAPIServer, p.fromSigners = f.toAPIServer.received.Load(), f.closed
	for _, issuer := range f.issuers {
		if issuer != nil {
			p.fromSigners += issuer.toSigners.received.Load()
		}
	}
	for _, signer := range f.signers {
		// One that was killed uses nothing any more.
		if used, err := signer.CPU(); err == nil {
			p.signersCPU += used
		}
	}
	metrics, err := f.metrics(ctx)
	p.apiServerCPU = time.Duration(metrics.Sum("process_cpu_seconds_total", "") * float64(time.Second))
	return p, err
}

func (f *fleet) memoryOfSigners(ctx context.Context) (all []memory, err error) {
	for _, signer := range f.signers {
		one, err := signer.memory(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// startAll starts an issuer on every node, some at once, and ends the one before it when the new ones are ready.
func (f *fleet) startAll(ctx context.Context, generation string, atOnce int) error {
	for first := 0; first < f.nodes; first += atOnce {
		count := min(atOnce, f.nodes-first)
		free, err := address.Free(count * addressesOf)
		if err != nil {
			return err
		}
		before := slices.Clone(f.issuers[first : first+count])
		// They run as long as the measurement, not as long as their start.
		err = each(ctx, count, count, func(_ context.Context, i int) (err error) {
			n := first + i
			f.issuers[n], err = f.startIssuer(ctx, nodeName(n), generation, n, f.toAPIServer, free[i*addressesOf:(i+1)*addressesOf],
				f.signers[0].address, f.signers[1].address)
			return err
		})
		if err != nil {
			return err
		}
		if err := f.endAll(ctx, before); err != nil {
			return err
		}
	}
	return nil
}

// endAll ends issuers, unless they are nil.
func (f *fleet) endAll(ctx context.Context, issuers []*nodeIssuer) error {
	var mu sync.Mutex
	return each(ctx, len(issuers), len(issuers), func(ctx context.Context, i int) error {
		if issuers[i] == nil {
			return nil
		}
		err := f.endIssuer(ctx, issuers[i])
		mu.Lock()
		defer mu.Unlock()
		f.closed += issuers[i].toSigners.received.Load()
		return err
	})
}

// askEach checks that a pod of every node gets a token.
func (f *fleet) askEach(ctx context.Context) error {
	return each(ctx, f.nodes, 4, func(ctx context.Context, n int) error {
		pod := f.population.pod(fmt.Sprintf("pod-%03d-00", n), nodeName(n), f.identityOf(n, 0))
		if err := f.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return fmt.Errorf("read pod %s: %w", pod.Name, err)
		}
		asking, err := f.newSidecar(ctx, pod, f.issuers[n].part)
		if err != nil {
			return err
		}
		defer asking.close()
		return asking.firstToken(ctx)
	})
}

// readyTimes returns how long the running issuers took to be ready, sorted.
func (f *fleet) readyTimes() []time.Duration {
	var times []time.Duration
	for _, issuer := range f.issuers {
		times = append(times, issuer.took)
	}
	slices.Sort(times)
	return times
}

// killSigner kills one of the signers, and waits until the other one shows all views. New connections are still led to the one that is gone,
// as often as to the other. It returns how long each view took to come back, sorted.
func (f *fleet) killSigner(ctx context.Context) (returned []time.Duration, err error) {
	gone, stays := f.signers[0], f.signers[1]
	waiting := map[*nodeIssuer]bool{}
	for _, issuer := range f.issuers {
		if issuer.toSigners.leadsTo(gone.address) {
			waiting[issuer] = true
		}
	}
	if len(waiting) == 0 {
		return nil, errors.New("the signer to kill shows no view")
	}
	if err := gone.Process.Process.Kill(); err != nil {
		return nil, fmt.Errorf("kill a signer: %w", err)
	}
	killed := time.Now()
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, returnPatience, true, func(ctx context.Context) (bool, error) {
		for issuer := range waiting {
			if !issuer.toSigners.leadsTo(stays.address) {
				continue
			}
			metrics, err := scrape.From(ctx, issuer.metrics)
			if err != nil {
				return false, err
			}
			if metrics.Sum("kube_imds_issuer_view_connected", "") == 1 {
				returned = append(returned, time.Since(killed))
				delete(waiting, issuer)
			}
		}
		return len(waiting) == 0, nil
	})
	if err != nil {
		return nil, fmt.Errorf("wait for the views of %d issuers: %w", len(waiting), err)
	}
	return returned, nil
}

// labelled returns the metrics that have a label.
func labelled(all scrape.Metrics, label string) scrape.Metrics {
	var some scrape.Metrics
	for _, line := range all {
		if strings.Contains(line, label) {
			some = append(some, line)
		}
	}
	return some
}
