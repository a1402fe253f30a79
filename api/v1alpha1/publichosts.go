package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DeclaredHosts returns spec.publicHosts.
func (v *KeyVault) DeclaredHosts() []string { return converted[string](v.Spec.PublicHosts) }

// HeldHosts returns status.publicHosts.
func (v *KeyVault) HeldHosts() []string { return converted[string](v.Status.PublicHosts) }

// SetHeldHosts sets status.publicHosts.
func (v *KeyVault) SetHeldHosts(hosts []string) { v.Status.PublicHosts = converted[VaultHost](hosts) }

// StatusConditions returns status.conditions.
func (v *KeyVault) StatusConditions() *[]metav1.Condition { return &v.Status.Conditions }

// DeclaredHosts returns spec.publicHosts.
func (a *StorageAccount) DeclaredHosts() []string { return converted[string](a.Spec.PublicHosts) }

// HeldHosts returns status.publicHosts.
func (a *StorageAccount) HeldHosts() []string { return converted[string](a.Status.PublicHosts) }

// SetHeldHosts sets status.publicHosts.
func (a *StorageAccount) SetHeldHosts(hosts []string) {
	a.Status.PublicHosts = converted[StorageHost](hosts)
}

// StatusConditions returns status.conditions.
func (a *StorageAccount) StatusConditions() *[]metav1.Condition { return &a.Status.Conditions }

func converted[To, From ~string](hosts []From) []To {
	var all []To
	for _, host := range hosts {
		all = append(all, To(host))
	}
	return all
}
