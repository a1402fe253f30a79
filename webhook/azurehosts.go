package webhook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/vaulthost"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// maxAzureHosts bounds the host names that a pod asks for.
const maxAzureHosts = 16

// azureHosts are the host names of Azure that a pod finds in the cluster.
type azureHosts struct {
	// asked are those that the pod asks for, and added those of them that its own hostAliases do not have.
	asked, added []string

	// addresses are those of the Service that answers.
	addresses []string

	warnings []string
}

// azureHosts returns what a pod asks for by its AzureHostsAnnotation, or why it does not get it.
func (m *mutator) azureHosts(ctx context.Context, pod *corev1.Pod, decided grant.Grant) (azureHosts, *denial, error) {
	var hosts azureHosts
	for name := range strings.SplitSeq(pod.Annotations[v1alpha1.AzureHostsAnnotation], ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !slices.Contains(hosts.asked, name) {
			hosts.asked = append(hosts.asked, name)
		}
	}
	if len(hosts.asked) == 0 {
		return hosts, nil, nil
	}
	if len(hosts.asked) > maxAzureHosts {
		return hosts, &denial{"AzureHosts",
			fmt.Sprintf("the annotation %s has more than %d host names", v1alpha1.AzureHostsAnnotation, maxAzureHosts)}, nil
	}
	if m.options.VaultService.Name == "" {
		return hosts, &denial{"AzureHosts", fmt.Sprintf("the annotation %s asks for hosts of Key Vaults, and this installation serves none: "+
			"install kube-imds with keyVault.enabled=true and keyVault.publicHosts, or remove the annotation", v1alpha1.AzureHostsAnnotation)}, nil
	}
	for _, host := range hosts.asked {
		warning, refused, err := m.lookup.declared(ctx, host, pod.Namespace)
		if err != nil || refused != nil {
			return hosts, refused, err
		}
		hosts.warn(warning)
	}
	var service corev1.Service
	if err := m.lookup.live.Get(ctx, m.options.VaultService, &service); err != nil {
		return hosts, nil, fmt.Errorf("read the Service of the Key Vaults: %w", err)
	}
	hosts.addresses = service.Spec.ClusterIPs
	hosts.leaveOwn(pod)
	hosts.warn(warnEntraTokens(decided))
	if !wantsTrust(pod) {
		hosts.warn(fmt.Sprintf("the certificate of these hosts is of the installation's authority, "+
			"which containers trust with the annotation %s: \"true\"", v1alpha1.TrustAnnotation))
	}
	return hosts, nil, nil
}

// declared returns what a person should know of a host name that a vault declares, or why a pod does not get it. What was created
// together with the pod, in its namespace, is read from the API server.
func (l lookup) declared(ctx context.Context, host, namespace string) (warning string, refused *denial, err error) {
	vaults, err := vaulthost.Declaring(ctx, l.cached, host)
	if err == nil && len(vaults) == 0 {
		vaults, err = l.declaredJustNow(ctx, host, namespace)
	}
	if err != nil {
		return "", nil, err
	}
	if len(vaults) == 0 {
		return "", &denial{"HostNotDeclared", fmt.Sprintf("the pod asks for the host %q, which no KeyVault declares: "+
			"add it to spec.publicHosts of one, or remove it from the annotation %s", cut(host), v1alpha1.AzureHostsAnnotation)}, nil
	}
	holder := vaulthost.HolderOf(host, vaults)
	switch {
	case holder == nil:
		return fmt.Sprintf("no vault answers to %s yet: %s", host, reasonOf(&vaults[0])), nil, nil
	case holder.Namespace != namespace:
		return fmt.Sprintf("%s is KeyVault %s of another namespace, %s: whoever administers that sees what is sent there",
			host, holder.Name, holder.Namespace), nil, nil
	}
	return "", nil, nil
}

// declaredJustNow returns the vaults of a namespace that declare a host name, from the API server.
func (l lookup) declaredJustNow(ctx context.Context, host, namespace string) ([]v1alpha1.KeyVault, error) {
	var list v1alpha1.KeyVaultList
	if err := l.live.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("find the KeyVault of a host: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(vault v1alpha1.KeyVault) bool {
		return !slices.Contains(vaulthost.Values(&vault), host)
	}), nil
}

// reasonOf returns why a vault lacks a public host.
func reasonOf(vault *v1alpha1.KeyVault) string {
	condition := apimeta.FindStatusCondition(vault.Status.Conditions, v1alpha1.ConditionPublicHosts)
	if condition == nil {
		return "the controller has not seen it"
	}
	return condition.Message
}

// warnEntraTokens warns about identities whose tokens open vaults in Azure: the vault here does not accept them, but gets them.
func warnEntraTokens(decided grant.Grant) string {
	var names []string
	for _, identity := range slices.Concat(decided.Identities, decided.Pending) {
		if identity.Spec.TokenSource == v1alpha1.TokenSourceEntra {
			names = append(names, identity.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return cut(fmt.Sprintf("tokens of %s are Entra ID's: the vaults of this cluster do not accept them, "+
		"and what the pod sends there opens vaults in Azure", strings.Join(names, ", ")))
}

// leaveOwn leaves the host names alone that the pod's own hostAliases have.
func (h *azureHosts) leaveOwn(pod *corev1.Pod) {
	for _, host := range h.asked {
		i := slices.IndexFunc(pod.Spec.HostAliases, func(alias corev1.HostAlias) bool { return slices.Contains(alias.Hostnames, host) })
		if i < 0 {
			h.added = append(h.added, host)
		} else if address := pod.Spec.HostAliases[i].IP; !slices.Contains(h.addresses, address) {
			h.warn(fmt.Sprintf("the pod's own hostAliases lead from %s to %s, and stay as they are", host, cut(address)))
		}
	}
}

func (h *azureHosts) warn(warning string) {
	if warning != "" {
		h.warnings = append(h.warnings, "kube-imds: "+warning)
	}
}

// addHostAliases leads the pod from the host names to the Service.
func (p plan) addHostAliases(pod map[string]any) error {
	if len(p.hosts.added) == 0 {
		return nil
	}
	return editList(pod, func(aliases []any) ([]any, error) {
		for _, address := range p.hosts.addresses {
			alias, err := generic(corev1.HostAlias{IP: address, Hostnames: p.hosts.added})
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(aliases, func(item any) bool {
				fields, _ := item.(map[string]any)
				return fields["ip"] == address
			})
			if i < 0 {
				aliases = append(aliases, alias...)
				continue
			}
			// An address may be there once.
			fields, _ := aliases[i].(map[string]any)
			own, _ := fields["hostnames"].([]any)
			for _, host := range p.hosts.added {
				own = append(own, host)
			}
			fields["hostnames"] = own
		}
		return aliases, nil
	}, "spec", "hostAliases")
}
