package uninjected

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

var cashier = types.NamespacedName{Namespace: "shop", Name: "cashier"}

// pages is a reader whose lists come in pages.
type pages struct {
	client.Reader
	items [][]metav1.PartialObjectMetadata
	err   error

	read int
}

func (p *pages) List(_ context.Context, into client.ObjectList, given ...client.ListOption) error {
	options := (&client.ListOptions{}).ApplyOptions(given)
	if p.err != nil || options.Limit != pageSize || options.Namespace != cashier.Namespace {
		return errors.Join(p.err, errors.ErrUnsupported)
	}
	list := into.(*metav1.PartialObjectMetadataList)
	list.Items, list.Continue = p.items[p.read], ""
	if p.read++; p.read < len(p.items) {
		list.Continue = "more"
	}
	return nil
}

func TestCountReadsAllPages(t *testing.T) {
	t.Parallel()
	plain := metav1.PartialObjectMetadata{}
	labelled := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{workloadidentity.UseLabel: "true"}}}
	going := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: new(metav1.Now())}}
	for name, test := range map[string]struct {
		workloadIdentity bool
		want             int
	}{
		"labelled pods are left to another webhook": {true, 2},
		"the label means nothing":                   {false, 3},
	} {
		reader := &pages{items: [][]metav1.PartialObjectMetadata{{plain, labelled}, {plain, going}}}
		counter := &Counter{Reader: reader, Pages: rate.NewLimiter(rate.Inf, 0), WorkloadIdentity: test.workloadIdentity}
		if got, err := counter.Count(t.Context(), cashier); got != test.want || err != nil || reader.read != 2 {
			t.Errorf("%s: got %d in %d pages, error %v; want %d in 2", name, got, reader.read, err, test.want)
		}
	}
}

// The rate of pages is limited, and the end of the process ends the wait.
func TestCountWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	reader := &pages{items: [][]metav1.PartialObjectMetadata{{}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	counter := &Counter{Reader: reader, Pages: rate.NewLimiter(rate.Limit(1), 1)}
	if _, err := counter.Count(ctx, cashier); !errors.Is(err, context.Canceled) || reader.read != 0 {
		t.Errorf("%d pages are read, error %v", reader.read, err)
	}
}

func TestCountFails(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	counter := &Counter{Reader: &pages{err: down}, Pages: rate.NewLimiter(rate.Inf, 0)}
	if _, err := counter.Count(t.Context(), cashier); !errors.Is(err, down) {
		t.Errorf("error = %v", err)
	}
}
