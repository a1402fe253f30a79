package uninjected

import (
	"context"
	"fmt"

	"golang.org/x/time/rate"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// pageSize bounds the pods in memory at a time.
const pageSize = 500

// Counter counts the pods of one ServiceAccount.
type Counter struct {
	// Reader reads pods from the API server: a cache would hold all pods of the cluster.
	Reader client.Reader

	// Pages limits the rate of requests, each for a page of pods.
	Pages *rate.Limiter

	// WorkloadIdentity reports whether pods with azure-workload-identity's label are injected. If one is not, it was left to
	// azure-workload-identity's own webhook.
	WorkloadIdentity bool
}

// Count returns the number of a ServiceAccount's pods that run, or will, and have no IMDS. Pods that decline it do not count.
func (c *Counter) Count(ctx context.Context, account types.NamespacedName) (int, error) {
	selector := fields.AndSelectors(
		fields.OneTermEqualSelector("spec.serviceAccountName", account.Name),
		fields.OneTermNotEqualSelector("status.phase", "Succeeded"),
		fields.OneTermNotEqualSelector("status.phase", "Failed"),
	)
	count, page := 0, directory.MetadataList("PodList")
	for {
		if err := c.Pages.Wait(ctx); err != nil {
			return 0, fmt.Errorf("wait for the turn to list pods: %w", err)
		}
		err := c.Reader.List(ctx, page, client.InNamespace(account.Namespace), client.MatchingFieldsSelector{Selector: selector},
			client.Limit(pageSize), client.Continue(page.Continue))
		if err != nil {
			return 0, fmt.Errorf("list the pods of ServiceAccount %s: %w", account, err)
		}
		for i := range page.Items {
			if c.counts(&page.Items[i]) {
				count++
			}
		}
		if page.Continue == "" {
			return count, nil
		}
	}
}

func (c *Counter) counts(pod *metav1.PartialObjectMetadata) bool {
	elsewhere := c.WorkloadIdentity && pod.Labels[workloadidentity.UseLabel] == "true"
	return pod.DeletionTimestamp.IsZero() && pod.Annotations[v1alpha1.InjectedAnnotation] == "" &&
		pod.Annotations[v1alpha1.InjectAnnotation] != "false" && !elsewhere
}
