package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// Bounds of the definition of ManagedIdentity: of its entries of assumableBy, and of the names in each list of one.
const (
	maxAdmissions = 64
	maxNames      = 64
)

// build makes the objects.
func (c *conversion) build() {
	setNames(c.identities)
	slices.SortFunc(c.identities, func(a, b *identity) int { return cmp.Compare(a.name, b.name) })
	for _, identity := range c.identities {
		c.result.Identities = append(c.result.Identities, c.managedIdentity(identity))
	}
	for _, account := range c.accounts() {
		c.reviewAccount(account)
		if binding := c.identityBinding(account); binding != nil {
			c.result.Bindings = append(c.result.Bindings, binding)
		}
	}
}

func (c *conversion) managedIdentity(identity *identity) *v1alpha1.ManagedIdentity {
	managed := &v1alpha1.ManagedIdentity{Spec: identity.spec}
	managed.APIVersion, managed.Kind, managed.Name = v1alpha1.GroupVersion.String(), "ManagedIdentity", identity.name
	managed.Spec.AssumableBy = admissions(identity.accounts)
	if entries := len(managed.Spec.AssumableBy); entries > maxAdmissions {
		managed.Spec.AssumableBy = nil
		c.leave(identity.source.String(), fmt.Sprintf("assumableBy of ManagedIdentity %s would have %d entries, and may have %d", identity.name, entries, maxAdmissions),
			"write them yourself, with a namespaceSelector")
	}
	return managed
}

// identityBinding returns the binding of a ServiceAccount, or leaves that and returns nil.
func (c *conversion) identityBinding(account account) *v1alpha1.IdentityBinding {
	grants := c.byAccount[account]
	if count := len(grants.identities); count > grant.MaxIdentities {
		c.leave(account.String(), fmt.Sprintf("it has %d identities, and may have %d", count, grant.MaxIdentities),
			"divide its workloads among several ServiceAccounts")
		return nil
	}
	binding := &v1alpha1.IdentityBinding{ObjectMeta: metav1.ObjectMeta{Namespace: account.namespace, Name: account.name}}
	binding.APIVersion, binding.Kind = v1alpha1.GroupVersion.String(), "IdentityBinding"
	binding.Spec.ServiceAccounts = []string{account.name}
	for _, identity := range grants.identities {
		binding.Spec.Identities = append(binding.Spec.Identities, identity.name)
	}
	slices.Sort(binding.Spec.Identities)
	if grants.preferred != nil && len(grants.identities) > 1 {
		binding.Spec.DefaultIdentity = grants.preferred.name
	}
	return binding
}

// reviewAccount warns about what a ServiceAccount has now and its pods had not.
func (c *conversion) reviewAccount(account account) {
	grants := c.byAccount[account]
	if account.name == "default" {
		c.warn(account.String(), "it is that of every pod of the namespace that names none, so those may assume its identities too",
			"give the workloads that need them a ServiceAccount of their own")
	}
	if labels := c.podLabels(account); len(labels) > 1 {
		c.warn(account.String(), fmt.Sprintf("workloads with different labels %s share it (%s), so each may assume the identities of all",
			podIdentityLabel, strings.Join(labels, ", ")), "give each a ServiceAccount of its own")
	}
	if len(grants.identities) > 1 && grants.preferred == nil {
		c.warn(account.String(), "it has several identities, and a request that names none is refused, where aad-pod-identity took any of them",
			"set defaultIdentity in its IdentityBinding")
	}
}

// podLabels returns the different labels of the pods of a ServiceAccount's workloads, as people read them.
func (c *conversion) podLabels(account account) []string {
	var labels []string
	for _, workload := range c.workloads {
		if workload.account != account {
			continue
		}
		label := fmt.Sprintf("%q", workload.labels[podIdentityLabel])
		if label == `""` {
			label = "none"
		}
		labels = append(labels, label)
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}

// admissions returns entries of assumableBy that admit exactly the ServiceAccounts. Namespaces with the same names share one.
func admissions(accounts []account) []v1alpha1.Admission {
	accounts = slices.SortedFunc(slices.Values(accounts), account.compare)
	names := map[string][]string{}
	var namespaces []string
	for _, account := range accounts {
		if names[account.namespace] == nil {
			namespaces = append(namespaces, account.namespace)
		}
		names[account.namespace] = append(names[account.namespace], account.name)
	}
	sharing := map[string][]string{}
	var groups []string
	for _, namespace := range namespaces {
		group := strings.Join(names[namespace], " ")
		if sharing[group] == nil {
			groups = append(groups, group)
		}
		sharing[group] = append(sharing[group], namespace)
	}
	var all []v1alpha1.Admission
	for _, group := range groups {
		for some := range slices.Chunk(sharing[group], maxNames) {
			for accounts := range slices.Chunk(names[some[0]], maxNames) {
				all = append(all, v1alpha1.Admission{Namespaces: some, ServiceAccounts: accounts})
			}
		}
	}
	return all
}
