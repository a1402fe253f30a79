package webhook

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

// trustVolumeName is the volume with the authorities that the pod's containers trust. The sidecar writes it
// (docs/design/trusted-pods.md).
const trustVolumeName = "kube-imds-trust"

// trustVariables are the variables by which runtimes find the volume.
var trustVariables = settings.TrustVariables(settings.TrustMount)

// wantsTrust reports whether a pod's containers are to trust the installation's authority.
func wantsTrust(pod *corev1.Pod) bool { return pod.Annotations[v1alpha1.TrustAnnotation] == "true" }

// trustVolume returns the volume. In memory it is no reason for an autoscaler to keep the pod's node.
func trustVolume() corev1.Volume {
	return corev1.Volume{Name: trustVolumeName, VolumeSource: corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("2Mi"))},
	}}
}

// isTrustVolume reports whether a volume is of an earlier admission.
func isTrustVolume(volume corev1.Volume) bool {
	return volume.Name == trustVolumeName && volume.EmptyDir != nil && volume.EmptyDir.Medium == corev1.StorageMediumMemory
}

// trustParts returns what the sidecar gets to write the volume.
func (p ownParts) trustParts() ([]corev1.EnvVar, []corev1.VolumeMount) {
	if !p.trust {
		return nil, nil
	}
	return []corev1.EnvVar{{Name: settings.TrustFolder, Value: settings.TrustMount}},
		[]corev1.VolumeMount{{Name: trustVolumeName, MountPath: settings.TrustMount}}
}

// addTrust gives the pod's containers the volume and the variables that they do not have yet, or takes away what an earlier admission
// gave them.
func (p plan) addTrust(pod *podEdit) {
	switch {
	case wantsTrust(p.pod):
		pod.each(withTrust)
		pod.addedVolumes = append(pod.addedVolumes, trustVolume())
	case slices.ContainsFunc(p.pod.Spec.Volumes, isTrustVolume):
		pod.each(withoutTrust)
	default:
		return
	}
	pod.removedVolumes = append(pod.removedVolumes, trustVolumeName)
}

func withTrust(container *containerEdit) {
	for _, variable := range trustVariables {
		if !container.has(variable.Name) {
			container.addVariable(variable.Name, variable.Value)
		}
	}
	if !slices.ContainsFunc(container.VolumeMounts, isTrustMount) {
		container.addedMounts = append(container.addedMounts, corev1.VolumeMount{Name: trustVolumeName, MountPath: settings.TrustMount, ReadOnly: true})
	}
}

func withoutTrust(container *containerEdit) {
	container.removeVariables(isTrustVariable)
	container.removeMounts(isTrustMount)
}

func isTrustVariable(variable corev1.EnvVar) bool {
	return slices.ContainsFunc(trustVariables, func(trust settings.Variable) bool {
		return variable.Name == trust.Name && variable.Value == trust.Value
	})
}

func isTrustMount(mount corev1.VolumeMount) bool {
	return mount.Name == trustVolumeName && mount.MountPath == settings.TrustMount
}

// warnTrust warns about variables of the pod's own, which stay as they are, and about those that nobody sees here.
func warnTrust(pod *corev1.Pod) string {
	value, found := pod.Annotations[v1alpha1.TrustAnnotation]
	if found && value != "true" && value != "false" {
		return fmt.Sprintf("the annotation %s is %q: want \"true\" or \"false\"", v1alpha1.TrustAnnotation, cut(value))
	}
	if !wantsTrust(pod) {
		return ""
	}
	var kept, unseen []string
	for container := range ownContainers(pod) {
		for _, variable := range trustVariables {
			for _, own := range container.Env {
				if own.Name == variable.Name && own.Value != variable.Value {
					kept = append(kept, fmt.Sprintf("%s of container %s", own.Name, container.Name))
				}
			}
		}
		if len(container.EnvFrom) > 0 {
			unseen = append(unseen, container.Name)
		}
	}
	var warnings []string
	if len(kept) > 0 {
		warnings = append(warnings,
			"what the pod sets stays as it is, and need not lead to the installation's authority: "+strings.Join(kept, ", "))
	}
	if len(unseen) > 0 {
		warnings = append(warnings, fmt.Sprintf("SSL_CERT_DIR, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE and JAVA_TOOL_OPTIONS "+
			"take precedence over the envFrom of container %s: set those that it has in its env instead", strings.Join(unseen, ", ")))
	}
	return cut(strings.Join(warnings, "; "))
}
