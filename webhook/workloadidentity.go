package webhook

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/entra"
	"github.com/kube-imds/kube-imds/internal/pki/cabundle"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

// workloadIdentity is what a pod gets that asks as manifests for azure-workload-identity do; nil for nothing.
type workloadIdentity struct {
	// identity is granted, or will be once it is ready.
	identity *v1alpha1.ManagedIdentity

	// account has the annotations of the pod's ServiceAccount.
	account map[string]string
}

// reservedVolume returns the name of the volume with the assertion: that of azure-workload-identity, which depends on the pod's name
// as it was sent.
func reservedVolume(pod *corev1.Pod) string {
	name := pod.Name
	if name == "" {
		name = pod.GenerateName + " (prefix)"
	}
	hash := sha256.Sum256([]byte(name))
	return (workloadidentity.VolumePrefix + hex.EncodeToString(hash[:]))[:63]
}

// isReservedName reports whether a volume or mount has a name for an assertion, of this pod's name or of another.
func isReservedName(name string) bool {
	return strings.HasPrefix(name, workloadidentity.VolumePrefix) || name == workloadidentity.OldVolume
}

// handledElsewhere reports whether the webhook of azure-workload-identity has acted on a pod: there is its volume, and it is not of
// an earlier admission here.
func handledElsewhere(pod *corev1.Pod) bool {
	earlier := additionsOf(pod)
	for _, volume := range pod.Spec.Volumes {
		switch {
		case !isReservedName(volume.Name):
		case pod.Annotations[v1alpha1.WorkloadIdentityAnnotation] == "":
			return true
		case sidecarAsserted(pod):
			return volume.EmptyDir == nil
		default:
			return volume.Projected == nil || !earlier.have(workloadidentity.TokenFileVariable)
		}
	}
	return false
}

// sidecarAsserted reports whether an earlier admission made the sidecar write the assertion.
func sidecarAsserted(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.InitContainers, func(container corev1.Container) bool {
		return container.Name == sidecarName && hasVariable(&container, settings.AssertionFile)
	})
}

// assertionVolume returns the volume with the assertion, or nil for a pod that gets none. The sidecar keeps the file of an identity's
// own assertion fresh, and the kubelet that of the ServiceAccount's token.
func (o Options) assertionVolume(pod *corev1.Pod, own *workloadIdentity) *corev1.Volume {
	if own == nil {
		return nil
	}
	volume := &corev1.Volume{Name: reservedVolume(pod)}
	switch {
	case own.sidecarAsserts():
		volume.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi"))}
	case own.identity.Spec.TokenSource == v1alpha1.TokenSourceEntra:
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{o.accountToken(pod, own)}}
	case o.TokenEndpoint && wantsTokenEndpoint(pod):
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{o.accountToken(pod, own), {
			ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: o.TrustName},
				Items:                []corev1.KeyToPath{{Key: cabundle.Key, Path: workloadidentity.AuthoritiesPath}},
			},
		}}}
	default:
		return nil
	}
	return volume
}

// sidecarAsserts reports whether the sidecar writes the assertion, because it is not a token of the pod's ServiceAccount.
func (w *workloadIdentity) sidecarAsserts() bool {
	return w != nil && entra.AssertsIdentity(w.identity)
}

// wantsTokenEndpoint reports whether a pod wants tokens of this cluster from an endpoint like Entra ID's.
func wantsTokenEndpoint(pod *corev1.Pod) bool {
	return pod.Annotations[v1alpha1.TokenEndpointAnnotation] == "true"
}

func (o Options) accountToken(pod *corev1.Pod, own *workloadIdentity) corev1.VolumeProjection {
	// A pod with an invalid annotation was denied.
	seconds, _ := expirationOf(pod, own.account)
	return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
		Audience: entra.AudienceFor(own.identity, o.AzureEnvironment), ExpirationSeconds: &seconds, Path: workloadidentity.TokenPath,
	}}
}

// expirationOf returns the validity of the projected token in seconds: the pod's annotation, or else the ServiceAccount's.
func expirationOf(pod *corev1.Pod, account map[string]string) (int64, error) {
	const name = workloadidentity.ExpirationAnnotation
	value := cmp.Or(pod.Annotations[name], account[name])
	if value == "" {
		return workloadidentity.DefaultExpiration, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < workloadidentity.MinExpiration || seconds > workloadidentity.MaxExpiration {
		return 0, fmt.Errorf("the annotation %s is %q: it must be a number of seconds from %d to %d",
			name, cut(value), workloadidentity.MinExpiration, workloadidentity.MaxExpiration)
	}
	return seconds, nil
}

// denyExpiration denies a pod whose token could not be projected.
func denyExpiration(pod *corev1.Pod, own *workloadIdentity) *denial {
	if own == nil {
		return nil
	}
	if _, err := expirationOf(pod, own.account); err != nil {
		return &denial{"TokenExpiration", err.Error()}
	}
	return nil
}

// workloadVariables returns the environment variables that each container gets if it does not have them. hasFile reports whether
// there is a file with an assertion.
func (p plan) workloadVariables(hasFile bool) []corev1.EnvVar {
	identity := p.workload.identity
	variables := []corev1.EnvVar{
		{Name: workloadidentity.ClientIDVariable, Value: strings.TrimSpace(p.workload.account[workloadidentity.ClientIDAnnotation])},
		{Name: workloadidentity.TenantIDVariable, Value: cmp.Or(p.workload.account[workloadidentity.TenantIDAnnotation],
			string(identity.Spec.TenantID), string(identity.Status.TenantID), p.options.TenantID)},
	}
	if !hasFile {
		// Without a file, DefaultAzureCredential goes on to IMDS.
		return variables
	}
	variables = append(variables, corev1.EnvVar{Name: workloadidentity.TokenFileVariable, Value: assertionFile})
	if identity.Spec.TokenSource == v1alpha1.TokenSourceEntra {
		return append(variables, corev1.EnvVar{
			Name: workloadidentity.AuthorityHostVariable, Value: entra.AuthorityFor(identity, p.options.AzureEnvironment) + "/"})
	}
	variables = append(variables, corev1.EnvVar{Name: workloadidentity.AuthorityHostVariable, Value: p.options.IssuerURL + "/"})
	if wantsTrust(p.pod) {
		// Then containers trust more than the endpoint.
		return variables
	}
	authorities := workloadidentity.MountFolder + "/" + workloadidentity.AuthoritiesPath
	return append(variables,
		corev1.EnvVar{Name: "REQUESTS_CA_BUNDLE", Value: authorities}, corev1.EnvVar{Name: "SSL_CERT_FILE", Value: authorities})
}

// assertionFile is the file with the assertion in each container.
const assertionFile = workloadidentity.MountFolder + "/" + workloadidentity.TokenPath

// addWorkloadIdentity gives the pod's containers what the webhook of azure-workload-identity would give them, and takes away what
// an earlier admission gave them.
func (p plan) addWorkloadIdentity(pod *podEdit) {
	given := equipment{
		volume: p.options.assertionVolume(p.pod, p.workload), before: additionsOf(p.pod), added: additions{}, skipped: skipped(p.pod),
	}
	name := ""
	if p.workload != nil {
		name, given.variables = p.workload.identity.Name, p.workloadVariables(given.volume != nil)
		pod.each(func(container *containerEdit) { container.drop = isProxy(container.Container) })
	}
	pod.each(given.equip)
	// The grant reads the identity's name.
	pod.annotations[v1alpha1.WorkloadIdentityAnnotation] = name
	pod.annotations[v1alpha1.WorkloadIdentityVariablesAnnotation] = given.added.String()
	p.replaceVolume(pod, given.volume)
}

// equipment is what containers are given.
type equipment struct {
	variables []corev1.EnvVar

	// volume is mounted; nil for none.
	volume *corev1.Volume

	// skipped are the names of the containers that get nothing.
	skipped []string

	// before is what an earlier admission added, and added what this one adds.
	before, added additions
}

// equip gives a container its variables and the mount.
func (e equipment) equip(container *containerEdit) {
	before := e.before[container.Name]
	if len(before) > 0 {
		container.removeVariables(func(variable corev1.EnvVar) bool { return slices.Contains(before, variable.Name) })
	}
	if len(before) > 0 || e.volume != nil {
		container.removeMounts(func(mount corev1.VolumeMount) bool { return isReservedName(mount.Name) })
	}
	if slices.Contains(e.skipped, container.Name) {
		return
	}
	for _, variable := range e.variables {
		if variable.Value == "" || container.has(variable.Name) {
			continue
		}
		container.addVariable(variable.Name, variable.Value)
		e.added[container.Name] = append(e.added[container.Name], variable.Name)
	}
	if e.volume != nil {
		container.addedMounts = append(container.addedMounts, corev1.VolumeMount{Name: e.volume.Name, MountPath: workloadidentity.MountFolder, ReadOnly: true})
	}
}

// replaceVolume replaces the volume with the assertion.
func (p plan) replaceVolume(pod *podEdit, volume *corev1.Volume) {
	if volume != nil {
		pod.addedVolumes = append(pod.addedVolumes, *volume)
	} else if p.pod.Annotations[v1alpha1.WorkloadIdentityAnnotation] == "" {
		return
	}
	for _, earlier := range p.pod.Spec.Volumes {
		if isReservedName(earlier.Name) {
			pod.removedVolumes = append(pod.removedVolumes, earlier.Name)
		}
	}
}

// skipped returns the names of the containers that get nothing.
func skipped(pod *corev1.Pod) []string {
	var names []string
	for name := range strings.SplitSeq(pod.Annotations[workloadidentity.SkipContainersAnnotation], ";") {
		names = append(names, strings.TrimSpace(name))
	}
	return names
}

// isProxy reports whether a container is azure-workload-identity's imitation of IMDS, or the privileged init container that redirects
// to it, which IMDS replaces.
func isProxy(container *corev1.Container) bool {
	return slices.Contains(workloadidentity.ProxyContainers, container.Name) && strings.Contains(container.Image, workloadidentity.ProxyImage)
}

// additions are the names of the variables that were added, by container.
type additions map[string][]string

// additionsOf reads what an earlier admission added.
func additionsOf(pod *corev1.Pod) additions {
	added := additions{}
	for entry := range strings.SplitSeq(pod.Annotations[v1alpha1.WorkloadIdentityVariablesAnnotation], ",") {
		if container, variable, found := strings.Cut(entry, "/"); found {
			added[container] = append(added[container], variable)
		}
	}
	return added
}

// have reports whether any container got a variable.
func (a additions) have(variable string) bool {
	for _, variables := range a {
		if slices.Contains(variables, variable) {
			return true
		}
	}
	return false
}

// String writes them in order.
func (a additions) String() string {
	var entries []string
	for container, variables := range a {
		for _, variable := range variables {
			entries = append(entries, container+"/"+variable)
		}
	}
	slices.Sort(entries)
	return strings.Join(entries, ",")
}

// assertionParts returns what the sidecar gets to keep the assertion fresh.
func (p ownParts) assertionParts() ([]corev1.EnvVar, []corev1.VolumeMount) {
	if p.assertionVolume == "" {
		return nil, nil
	}
	return []corev1.EnvVar{
			{Name: settings.AssertionFile, Value: assertionFile},
			{Name: settings.AssertionClientID, Value: p.assertionClientID},
		},
		[]corev1.VolumeMount{{Name: p.assertionVolume, MountPath: workloadidentity.MountFolder}}
}
