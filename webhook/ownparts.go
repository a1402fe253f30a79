package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// ownParts makes our containers and our volume.
type ownParts struct {
	options Options
	partInputs
}

// partInputs is all that our parts depend on besides the options.
type partInputs struct {
	authorities string
	port        int32

	// audiences are those of the ServiceAccount tokens with which the pod's identities are exchanged at Entra ID, the empty ones last.
	audiences [issuerapi.MaxAssertions]string

	// trust is whether the sidecar writes the volume with the authorities for the pod's containers.
	trust bool

	// assertionVolume is the volume in which the sidecar writes an assertion, for an identity with assertionClientID; "" for none.
	assertionVolume, assertionClientID string
}

// ownParts returns what makes our parts of the plan's pod.
func (p plan) ownParts() ownParts {
	inputs := partInputs{authorities: p.authorities, port: p.port(), audiences: p.assertionAudiences(), trust: wantsTrust(p.pod)}
	if p.workload.sidecarAsserts() {
		inputs.assertionVolume, inputs.assertionClientID = reservedVolume(p.pod), string(p.workload.identity.Spec.ClientID)
	}
	return ownParts{p.options, inputs}
}

func (p plan) assertionAudiences() (audiences [issuerapi.MaxAssertions]string) {
	var all []string
	for _, identity := range slices.Concat(p.grant.Identities, p.grant.Pending) {
		if entra.AssertsServiceAccount(identity) {
			all = append(all, entra.AudienceFor(identity, p.options.AzureEnvironment))
		}
	}
	slices.Sort(all)
	copy(audiences[:], slices.Compact(all))
	return audiences
}

// encodedParts are our parts in JSON.
type encodedParts struct {
	inputs                   partInputs
	netInit, sidecar, volume json.RawMessage
}

// partsCache keeps our parts as they were encoded last: pods that are created together mostly get the same. All have the same options.
type partsCache struct{ latest atomic.Pointer[encodedParts] }

// encode returns our parts in JSON, for a pod that has none of ours yet.
func (c *partsCache) encode(parts ownParts) (*encodedParts, error) {
	if known := c.latest.Load(); known != nil && known.inputs == parts.partInputs {
		return known, nil
	}
	made, err := parts.encode(func(container corev1.Container) corev1.Container { return container })
	if err == nil {
		c.latest.Store(made)
	}
	return made, err
}

// encode encodes our parts. Containers may be changed before.
func (p ownParts) encode(change func(corev1.Container) corev1.Container) (*encodedParts, error) {
	made := &encodedParts{inputs: p.partInputs}
	for _, part := range []struct {
		into  *json.RawMessage
		value any
	}{{&made.netInit, change(p.netInit())}, {&made.sidecar, change(p.sidecar())}, {&made.volume, p.tokenVolume()}} {
		content, err := json.Marshal(part.value)
		if err != nil {
			return nil, fmt.Errorf("write what is added to the pod: %w", err)
		}
		*part.into = content
	}
	return made, nil
}

// encodeParts returns our parts of the plan's pod in JSON.
func (p plan) encodeParts(cache *partsCache) (*encodedParts, error) {
	if slices.ContainsFunc(p.pod.Spec.InitContainers, isOurs) {
		return p.ownParts().encode(p.keep)
	}
	return cache.encode(p.ownParts())
}

func isOurs(container corev1.Container) bool {
	_, ours := ownSubcommands[container.Name]
	return ours
}

// keep preserves what the API server's admission plugins set on our container in an earlier run: AlwaysPullImages and
// ResourceQuota reject the pod without it, and do not set it again.
func (p plan) keep(container corev1.Container) corev1.Container {
	for _, earlier := range p.pod.Spec.InitContainers {
		if earlier.Name != container.Name {
			continue
		}
		if earlier.ImagePullPolicy == corev1.PullAlways {
			container.ImagePullPolicy = corev1.PullAlways
		}
		container.Resources.Requests = withDefaults(container.Resources.Requests, earlier.Resources.Requests)
		container.Resources.Limits = withDefaults(container.Resources.Limits, earlier.Resources.Limits)
	}
	return container
}

// withDefaults adds the resources that amounts lacks, such as ephemeral-storage from a LimitRange.
func withDefaults(amounts, defaults corev1.ResourceList) corev1.ResourceList {
	if len(defaults) == 0 {
		return amounts
	}
	all := maps.Clone(defaults)
	maps.Copy(all, amounts)
	return all
}
