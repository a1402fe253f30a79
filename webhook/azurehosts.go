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
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// maxAzureHosts bounds the host names that a pod asks for.
const maxAzureHosts = 16

// azureHosts are the host names of Azure that a pod finds in the cluster.
type azureHosts struct {
	// asked are those that the pod asks for.
	asked []string

	// aliases are the addresses of the Services that answer, each with those of the names that the pod's own hostAliases do not have.
	aliases []corev1.HostAlias

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
	byKind := map[*azurehost.Kind][]string{}
	for _, host := range hosts.asked {
		kind := azurehost.KindOf(host)
		if denied := m.options.denyHost(host, kind); denied != nil {
			return hosts, denied, nil
		}
		warning, denied, err := m.lookup.declared(ctx, kind, host, pod.Namespace)
		if err != nil || denied != nil {
			return hosts, denied, err
		}
		hosts.warn(warning)
		byKind[kind] = append(byKind[kind], host)
	}
	for _, kind := range azurehost.Kinds {
		if len(byKind[kind]) == 0 {
			continue
		}
		var service corev1.Service
		if err := m.lookup.live.Get(ctx, m.options.AzureServices[kind], &service); err != nil {
			return hosts, nil, fmt.Errorf("read the Service of the %s: %w", kind.Plural, err)
		}
		hosts.lead(pod, byKind[kind], service.Spec.ClusterIPs)
	}
	hosts.warn(warnEntraTokens(decided))
	if !wantsTrust(pod) {
		hosts.warn(fmt.Sprintf("the certificate of these hosts is of the installation's authority, "+
			"which containers trust with the annotation %s: \"true\"", v1alpha1.TrustAnnotation))
	}
	return hosts, nil, nil
}

// denyHost returns why no pod gets a host name, or nil.
func (o Options) denyHost(host string, kind *azurehost.Kind) *denial {
	if kind == nil {
		return &denial{"AzureHosts", fmt.Sprintf("the pod asks for the host %q, which is none that a KeyVault or a StorageAccount may have: "+
			"remove it from the annotation %s", cut(host), v1alpha1.AzureHostsAnnotation)}
	}
	if _, served := o.AzureServices[kind]; !served {
		return &denial{"AzureHosts", fmt.Sprintf("the annotation %s asks for hosts of %s, and this installation serves none: "+
			"install kube-imds with %s.enabled=true and %[3]s.publicHosts, or remove the annotation",
			v1alpha1.AzureHostsAnnotation, kind.Plural, kind.Value)}
	}
	return nil
}

// declared returns what a person should know of a host name that a resource declares, or why a pod does not get it. What was created
// together with the pod, in its namespace, is read from the API server.
func (l lookup) declared(ctx context.Context, kind *azurehost.Kind, host, namespace string) (warning string, refused *denial, err error) {
	resources, err := kind.Declaring(ctx, l.cached, host)
	if err == nil && len(resources) == 0 {
		resources, err = l.declaredJustNow(ctx, kind, host, namespace)
	}
	if err != nil {
		return "", nil, err
	}
	if len(resources) == 0 {
		return "", &denial{"HostNotDeclared", fmt.Sprintf("the pod asks for the host %q, which no %s declares: "+
			"add it to spec.publicHosts of one, or remove it from the annotation %s", cut(host), kind.Name, v1alpha1.AzureHostsAnnotation)}, nil
	}
	holder := azurehost.HolderOf(host, resources)
	switch {
	case holder == nil:
		return fmt.Sprintf("no %s answers to %s yet: %s", kind.Name, host, reasonOf(resources[0])), nil, nil
	case holder.GetNamespace() != namespace:
		return fmt.Sprintf("%s is %s %s of another namespace, %s: whoever administers that sees what is sent there",
			host, kind.Name, holder.GetName(), holder.GetNamespace()), nil, nil
	}
	return "", nil, nil
}

// declaredJustNow returns the resources of a namespace that declare a host name, from the API server.
func (l lookup) declaredJustNow(ctx context.Context, kind *azurehost.Kind, host, namespace string) ([]azurehost.Resource, error) {
	resources, err := kind.List(ctx, l.live, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(resources, func(resource azurehost.Resource) bool {
		return !slices.Contains(resource.DeclaredHosts(), host)
	}), nil
}

// reasonOf returns why a resource lacks a public host.
func reasonOf(resource azurehost.Resource) string {
	condition := apimeta.FindStatusCondition(*resource.StatusConditions(), v1alpha1.ConditionPublicHosts)
	if condition == nil {
		return "the controller has not seen it"
	}
	return condition.Message
}

// warnEntraTokens warns about identities whose tokens open resources in Azure: those here do not accept them, but get them.
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
	return cut(fmt.Sprintf("tokens of %s are Entra ID's: the vaults and storage accounts of this cluster do not accept them, "+
		"and what the pod sends there opens those in Azure", strings.Join(names, ", ")))
}

// lead leads the pod from host names to a Service, but for those that its own hostAliases have.
func (h *azureHosts) lead(pod *corev1.Pod, hosts, addresses []string) {
	var added []string
	for _, host := range hosts {
		i := slices.IndexFunc(pod.Spec.HostAliases, func(alias corev1.HostAlias) bool { return slices.Contains(alias.Hostnames, host) })
		if i < 0 {
			added = append(added, host)
		} else if address := pod.Spec.HostAliases[i].IP; !slices.Contains(addresses, address) {
			h.warn(fmt.Sprintf("the pod's own hostAliases lead from %s to %s, and stay as they are", host, cut(address)))
		}
	}
	if len(added) == 0 {
		return
	}
	for _, address := range addresses {
		h.aliases = append(h.aliases, corev1.HostAlias{IP: address, Hostnames: added})
	}
}

func (h *azureHosts) warn(warning string) {
	if warning != "" {
		h.warnings = append(h.warnings, "kube-imds: "+warning)
	}
}

// addHostAliases leads the pod from the host names to the Services.
func (p plan) addHostAliases(made *patch) {
	own := p.pod.Spec.HostAliases
	var added []any
	for _, wanted := range p.hosts.aliases {
		// An address may be there once.
		i := slices.IndexFunc(own, func(alias corev1.HostAlias) bool { return alias.IP == wanted.IP })
		if i < 0 {
			added = append(added, wanted)
			continue
		}
		made.edit(fmt.Sprintf("/spec/hostAliases/%d/hostnames", i), listEdit{length: len(own[i].Hostnames), last: anyOf(wanted.Hostnames)})
	}
	made.edit("/spec/hostAliases", listEdit{length: len(own), last: added})
}
