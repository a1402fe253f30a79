package convert

import (
	"fmt"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// podIdentity converts the objects of aad-pod-identity.
type podIdentity struct {
	*conversion

	// sources are the AzureIdentities by namespace and name.
	sources map[string]*azureSource

	// byLabel has the workloads by the label of their pods, and selected those that a binding selects.
	byLabel  map[string][]*workload
	selected map[*workload]bool
}

// azureSource is an AzureIdentity.
type azureSource struct {
	*azureIdentity

	// converted is nil if it was not converted, and named reports whether a binding names it.
	converted *identity
	named     bool
}

func (c *conversion) convertPodIdentity() {
	p := &podIdentity{conversion: c, sources: map[string]*azureSource{}, byLabel: map[string][]*workload{}, selected: map[*workload]bool{}}
	for _, one := range c.azureIdentities {
		p.sources[one.Metadata.Namespace+"/"+one.Metadata.Name] = &azureSource{azureIdentity: one, converted: p.convertIdentity(one)}
	}
	for _, workload := range c.workloads {
		if label := workload.labels[podIdentityLabel]; label != "" {
			p.byLabel[label] = append(p.byLabel[label], workload)
		}
	}
	for _, binding := range c.azureBindings {
		p.convertBinding(binding)
	}
	p.reviewIdentities()
	p.reviewWorkloads()
	p.leaveTheRest()
	if len(c.azureIdentities)+len(c.azureBindings) > 0 {
		c.result.oldLabels = append(c.result.oldLabels, podIdentityLabel)
	}
}

// convertIdentity returns the identity that an AzureIdentity becomes, or nil.
func (p *podIdentity) convertIdentity(source *azureIdentity) *identity {
	spec := source.Spec
	if spec.Type != 0 {
		p.leave(source.String(), fmt.Sprintf("type %d is a service principal", spec.Type),
			"make a user-assigned managed identity with its roles, and an AzureIdentity of type 0 for that")
		return nil
	}
	converted := p.identityOf(source.object, claim{spec.ClientID, spec.TenantID, spec.ResourceID})
	if converted == nil {
		return nil
	}
	if spec.ClientPassword.Name != "" {
		p.leave(source.String(), "clientPassword: a managed identity has none", "remove it, and its Secret once nothing reads that")
	}
	if len(spec.AuxiliaryTenantIDs) > 0 {
		p.leave(source.String(), "auxiliaryTenantIDs: an identity is of one tenant", "make an identity in each of the others")
	}
	return converted
}

// convertBinding grants the binding's identity to the ServiceAccounts of the pods that it selects.
func (p *podIdentity) convertBinding(binding *azureBinding) {
	if binding.Spec.Weight != 0 {
		p.warn(binding.String(), "weight is ignored: nothing reads it in aad-pod-identity either", "")
	}
	source := p.sources[binding.Metadata.Namespace+"/"+binding.Spec.AzureIdentity]
	if source == nil {
		p.leave(binding.String(), fmt.Sprintf("its namespace has no AzureIdentity %q in the input", binding.Spec.AzureIdentity), "add that to the input")
		return
	}
	source.named = true
	workloads := p.selects(binding, source)
	switch {
	case source.converted == nil:
		p.leave(binding.String(), fmt.Sprintf("%s was not converted", source), "see there")
	case len(workloads) == 0:
		p.leave(binding.String(), p.selectsNone(binding, source), "add the workload to the input, or write an IdentityBinding for its ServiceAccount")
	default:
		for _, workload := range workloads {
			p.grant(workload.account, source.converted)
		}
	}
}

// selects returns the workloads whose pods a binding selects for an identity.
func (p *podIdentity) selects(binding *azureBinding, source *azureSource) []*workload {
	var workloads []*workload
	for _, workload := range p.byLabel[binding.Spec.Selector] {
		if p.isNamespaced(source) && workload.Metadata.Namespace != source.Metadata.Namespace {
			continue
		}
		p.selected[workload] = true
		workloads = append(workloads, workload)
	}
	return workloads
}

func (p *podIdentity) selectsNone(binding *azureBinding, source *azureSource) string {
	where := ""
	if p.isNamespaced(source) {
		where = " of namespace " + binding.Metadata.Namespace
	}
	return fmt.Sprintf("no workload%s in the input has pods with the label %s=%q", where, podIdentityLabel, binding.Spec.Selector)
}

// isNamespaced reports whether an identity is for pods of its own namespace only.
func (p *podIdentity) isNamespaced(source *azureSource) bool {
	return p.options.Namespaced || source.Metadata.Annotations["aadpodidentity.k8s.io/Behavior"] == "namespaced"
}

// reviewIdentities warns about identities that no binding names.
func (p *podIdentity) reviewIdentities() {
	for _, one := range p.azureIdentities {
		source := p.sources[one.Metadata.Namespace+"/"+one.Metadata.Name]
		if source.converted != nil && !source.named {
			p.warn(source.String(), "no AzureIdentityBinding in the input names it", "add that, or no pod may assume the ManagedIdentity")
		}
	}
}

// reviewWorkloads leaves the first workload in each namespace whose label no binding selects.
func (p *podIdentity) reviewWorkloads() {
	seen := map[[2]string]bool{}
	for _, workload := range p.workloads {
		label := workload.labels[podIdentityLabel]
		group := [2]string{workload.Metadata.Namespace, label}
		if label == "" || p.selected[workload] || seen[group] {
			continue
		}
		seen[group] = true
		p.leave(workload.String(), fmt.Sprintf("no AzureIdentityBinding in the input selects its pods by the label %s=%q", podIdentityLabel, label),
			"add that and its AzureIdentity to the input, or remove the label")
	}
}

func (p *podIdentity) leaveTheRest() {
	for _, exception := range p.exceptions {
		p.leave(exception.String(), "no pod is excepted by its labels", fmt.Sprintf(
			"in namespaces that ask for IMDS, annotate those pods with %s: \"false\"", v1alpha1.InjectAnnotation))
	}
	if p.assigned > 0 {
		p.warn(fmt.Sprintf("AzureAssignedIdentity (%d of them)", p.assigned), "skipped, because they are derived from the other objects", "")
	}
}
