package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/vaulthost"
	"github.com/kube-imds/kube-imds/internal/resource/owner"
)

// maxPublicHosts bounds the public hosts of all vaults, which are in one certificate.
const maxPublicHosts = 100

// PublicHosts decides which host names of Azure vaults have.
type PublicHosts struct {
	// Allowed are those that the installation allows.
	Allowed vaulthost.Allowed

	// Certified reports whether the authority that signs may sign for one.
	Certified func(host string) bool
}

// holders returns the vault that has each host name: the one that has it already, or else the oldest of those that declare it.
func (h PublicHosts) holders(all []v1alpha1.KeyVault) map[string]*v1alpha1.KeyVault {
	type claim struct {
		vault *v1alpha1.KeyVault
		host  string
		held  bool
	}
	var claims []claim
	for i := range all {
		vault := &all[i]
		if len(vault.Spec.PublicHosts) == 0 || owner.Of(vault.Name, all) != vault {
			continue
		}
		for _, host := range vault.Spec.PublicHosts {
			if h.refuse(string(host)) == nil {
				claims = append(claims, claim{vault, string(host), vaulthost.Has(vault, string(host))})
			}
		}
	}
	slices.SortFunc(claims, func(a, b claim) int {
		switch {
		case a.held != b.held && a.held:
			return -1
		case a.held != b.held:
			return 1
		case a.vault == b.vault:
			return cmp.Compare(a.host, b.host)
		case a.vault.IsOlderThan(b.vault):
			return -1
		}
		return 1
	})
	holders := map[string]*v1alpha1.KeyVault{}
	for _, claim := range claims {
		if holders[claim.host] == nil && len(holders) < maxPublicHosts {
			holders[claim.host] = claim.vault
		}
	}
	return holders
}

// hostRefusal is why a vault does not have a host name.
type hostRefusal struct{ reason, message string }

// refuse returns why no vault may have a host name, or nil.
func (h PublicHosts) refuse(host string) *hostRefusal {
	switch {
	case !h.Allowed.Allow(host):
		return &hostRefusal{v1alpha1.ReasonHostNotAllowed, host + " is none of those that the chart's keyVault.publicHosts allows"}
	case !h.Certified(host):
		return &hostRefusal{v1alpha1.ReasonHostNotCertified, "the certificate authority was made before " + host + " was allowed: " +
			"an administrator can have it succeeded (docs/keyvault.md)"}
	}
	return nil
}

// judge returns the host names that a vault has, and the condition that says so.
func (h PublicHosts) judge(vault *v1alpha1.KeyVault, all []v1alpha1.KeyVault) ([]v1alpha1.VaultHost, metav1.Condition) {
	holders := h.holders(all)
	var (
		held     []v1alpha1.VaultHost
		refusals []hostRefusal
	)
	for _, host := range vault.Spec.PublicHosts {
		refusal, holder := h.refuse(string(host)), holders[string(host)]
		switch {
		case refusal != nil:
		case holder == vault:
			held = append(held, host)
			continue
		case owner.Of(vault.Name, all) != vault:
			refusal = &hostRefusal{v1alpha1.ReasonNameTaken, "the vault itself is not served"}
		case holder != nil:
			refusal = &hostRefusal{v1alpha1.ReasonHostTaken,
				fmt.Sprintf("%s belongs to KeyVault %s of namespace %s", host, holder.Name, holder.Namespace)}
		default:
			refusal = &hostRefusal{v1alpha1.ReasonTooManyHosts,
				fmt.Sprintf("%s is one too many: all vaults together may have %d", host, maxPublicHosts)}
		}
		refusals = append(refusals, *refusal)
	}
	return held, hostsCondition(vault, refusals)
}

func hostsCondition(vault *v1alpha1.KeyVault, refusals []hostRefusal) metav1.Condition {
	condition := metav1.Condition{
		Type: v1alpha1.ConditionPublicHosts, ObservedGeneration: vault.Generation, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonServed, Message: "the vault has all public hosts that it declares",
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

// Holds reports whether a vault has a host name that the installation allows, by the cache.
func (h PublicHosts) Holds(cached client.Reader) func(host string) bool {
	return func(host string) bool {
		if !h.Allowed.Allow(host) {
			return false
		}
		holder, err := vaulthost.Holder(context.Background(), cached, host)
		return err == nil && holder != nil
	}
}
