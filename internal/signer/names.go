package signer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
)

// maxLocations bounds the locations in a certificate. Machines in other locations are attested under the cloud's name.
const maxLocations = 64

// AttestationNames returns the names of the attestation certificate: the cloud's and those of all nodes' locations.
func AttestationNames(reader client.Reader, defaults machine.Defaults) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		var nodes corev1.NodeList
		if err := reader.List(ctx, &nodes, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list the nodes: %w", err)
		}
		names := attested.Names(defaults.Environment, "")
		locations := map[string]bool{}
		for i := range nodes.Items {
			for _, name := range attested.Names(defaults.Environment, machine.PlaceOf(&nodes.Items[i], defaults).Location)[1:] {
				locations[name] = true
			}
		}
		sorted := slices.Sorted(maps.Keys(locations))
		return append(names, sorted[:min(len(sorted), maxLocations)]...), nil
	}
}
