package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// maxPublicHosts bounds the public hosts of all resources of a kind, which are in one certificate.
const maxPublicHosts = 100

// PublicHosts decides which host names of Azure the resources of a kind have. No two kinds may have the same, and each has its own number of
// them, so the kinds are not in each other's way.
type PublicHosts struct {
	Kind *azurehost.Kind

	// Allowed are those that the installation allows.
	Allowed azurehost.Allowed

	// Certified reports whether the authority that signs may sign for one.
	Certified func(host string) bool
}

// contenders returns what the decision about a resource's hosts depends on: those that declare one of them or have any, and who has the name
// of one of these.
func (h PublicHosts) contenders(ctx context.Context, cached client.Reader, resource azurehost.Resource) ([]azurehost.Resource, error) {
	declared := resource.DeclaredHosts()
	if len(declared) == 0 {
		return nil, nil
	}
	wanting, err := h.Kind.Holding(ctx, cached)
	if err != nil {
		return nil, err
	}
	for _, host := range declared {
		declaring, err := h.Kind.Declaring(ctx, cached, host)
		if err != nil {
			return nil, err
		}
		wanting = append(wanting, declaring...)
	}
	var all []azurehost.Resource
	asked := map[string]bool{}
	for _, one := range append(wanting, resource) {
		if asked[one.GetName()] {
			continue
		}
		asked[one.GetName()] = true
		named, err := h.Kind.Named(ctx, cached, one.GetName())
		if err != nil {
			return nil, err
		}
		all = append(all, named...)
	}
	return all, nil
}

// ownersOf returns the resource to which each name belongs.
func ownersOf(all []azurehost.Resource) map[string]azurehost.Resource {
	owners := map[string]azurehost.Resource{}
	for _, one := range all {
		if found := owners[one.GetName()]; found == nil || owner.IsOlder(one, found) {
			owners[one.GetName()] = one
		}
	}
	return owners
}

// holders returns the resource that has each host name: the one that has it already, or else the oldest of those that declare it.
func (h PublicHosts) holders(owners map[string]azurehost.Resource) map[string]azurehost.Resource {
	type claim struct {
		resource azurehost.Resource
		host     string
		held     bool
	}
	var claims []claim
	for _, resource := range owners {
		for _, host := range resource.DeclaredHosts() {
			if h.refuse(host) == nil {
				claims = append(claims, claim{resource, host, azurehost.Has(resource, host)})
			}
		}
	}
	slices.SortFunc(claims, func(a, b claim) int {
		switch {
		case a.held != b.held && a.held:
			return -1
		case a.held != b.held:
			return 1
		case a.resource == b.resource:
			return cmp.Compare(a.host, b.host)
		case owner.IsOlder(a.resource, b.resource):
			return -1
		}
		return 1
	})
	holders := map[string]azurehost.Resource{}
	for _, claim := range claims {
		if holders[claim.host] == nil && len(holders) < maxPublicHosts {
			holders[claim.host] = claim.resource
		}
	}
	return holders
}

// hostRefusal is why a resource does not have a host name.
type hostRefusal struct{ reason, message string }

// refuse returns why no resource may have a host name, or nil.
func (h PublicHosts) refuse(host string) *hostRefusal {
	switch {
	case !h.Allowed.Allow(host):
		return &hostRefusal{v1alpha1.ReasonHostNotAllowed, fmt.Sprintf("%s is none of those that the chart's %s.publicHosts allows", host, h.Kind.Value)}
	case !h.Certified(host):
		return &hostRefusal{v1alpha1.ReasonHostNotCertified, "the certificate authority was made before " + host + " was allowed: " +
			"an administrator can have it succeeded (docs/azure-hosts.md)"}
	}
	return nil
}

// judge returns the host names that a resource has, and the condition that says so.
func (h PublicHosts) judge(resource azurehost.Resource, contenders []azurehost.Resource) ([]string, metav1.Condition) {
	owners := ownersOf(contenders)
	holders := h.holders(owners)
	var (
		held     []string
		refusals []hostRefusal
	)
	for _, host := range resource.DeclaredHosts() {
		refusal, holder := h.refuse(host), holders[host]
		switch {
		case refusal != nil:
		case uidOf(holder) == resource.GetUID():
			held = append(held, host)
			continue
		case uidOf(owners[resource.GetName()]) != resource.GetUID():
			refusal = &hostRefusal{v1alpha1.ReasonNameTaken, fmt.Sprintf("the %s itself is not served", h.Kind.Name)}
		case holder != nil:
			refusal = &hostRefusal{v1alpha1.ReasonHostTaken,
				fmt.Sprintf("%s belongs to %s %s of namespace %s", host, h.Kind.Name, holder.GetName(), holder.GetNamespace())}
		default:
			refusal = &hostRefusal{v1alpha1.ReasonTooManyHosts,
				fmt.Sprintf("%s is one too many: all %s together may have %d", host, h.Kind.Plural, maxPublicHosts)}
		}
		refusals = append(refusals, *refusal)
	}
	return held, h.condition(resource, refusals)
}

// uidOf returns the UID of a resource, or "".
func uidOf(resource azurehost.Resource) types.UID {
	if resource == nil {
		return ""
	}
	return resource.GetUID()
}

func (h PublicHosts) condition(resource azurehost.Resource, refusals []hostRefusal) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionPublicHosts, ObservedGeneration: resource.GetGeneration(), Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonServed, Message: fmt.Sprintf("the %s has all public hosts that it declares", h.Kind.Name),
	}
	if len(refusals) == 0 {
		return condition
	}
	var messages []string
	for _, refusal := range refusals {
		messages = append(messages, refusal.message)
	}
	condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, refusals[0].reason, strings.Join(messages, "; ")
	return condition
}

// Holds reports whether a resource has a host name that the installation allows, by the cache.
func (h PublicHosts) Holds(cached client.Reader, host string) bool {
	if !h.Allowed.Allow(host) {
		return false
	}
	holder, err := h.Kind.Holder(context.Background(), cached, host)
	return err == nil && holder != nil
}
