package webhook

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/grant"
)

// plan is what is done to a pod. It is made from scratch on every admission: on a pod that was admitted before, it replaces
// everything except what the API server itself has set.
type plan struct {
	pod         *corev1.Pod
	grant       grant.Grant
	workload    *workloadIdentity
	options     Options
	authorities string
	hosts       azureHosts
}

// patch returns what is done to the pod as it was sent.
func (p plan) patch(cache *partsCache) (patch, error) {
	ours, err := p.encodeParts(cache)
	if err != nil {
		return nil, err
	}
	pod := &podEdit{initContainers: editsOf(p.pod.Spec.InitContainers), containers: editsOf(p.pod.Spec.Containers), annotations: map[string]string{}}
	for _, step := range []func(*podEdit){p.addTrust, p.addWorkloadIdentity, p.extendNoProxy, p.annotate} {
		step(pod)
	}
	var made patch
	made.patchContainers("/spec/initContainers", pod.initContainers, ours.netInit, ours.sidecar)
	made.patchContainers("/spec/containers", pod.containers)
	made.edit("/spec/volumes", listEdit{
		length: len(p.pod.Spec.Volumes),
		removed: removing(nil, p.pod.Spec.Volumes, func(volume corev1.Volume) bool {
			return volume.Name == tokenVolumeName || slices.Contains(pod.removedVolumes, volume.Name)
		}),
		last: append([]any{ours.volume}, anyOf(pod.addedVolumes)...),
	})
	p.addSysctl(&made)
	p.addHostAliases(&made)
	made.annotate(p.pod.Annotations, pod.annotations)
	return made, nil
}

// podEdit is what the steps of a plan do to a pod, apart from our own containers.
type podEdit struct {
	initContainers, containers []containerEdit

	// removedVolumes are names of volumes.
	removedVolumes []string
	addedVolumes   []corev1.Volume

	// annotations are set, or removed if they are empty.
	annotations map[string]string
}

// each edits every container that stays.
func (e *podEdit) each(edit func(*containerEdit)) {
	for _, list := range [][]containerEdit{e.initContainers, e.containers} {
		for i := range list {
			if !list[i].drop {
				edit(&list[i])
			}
		}
	}
}

// extendNoProxy keeps containers with a proxy from sending it requests for IMDS, and for hosts that the pod finds in the cluster.
func (p plan) extendNoProxy(pod *podEdit) {
	hosts := append([]string{imdsAddress}, p.hosts.asked...)
	pod.each(func(container *containerEdit) { extendNoProxy(container, hosts) })
}

// annotate records the injection in annotations.
func (p plan) annotate(pod *podEdit) {
	maps.Copy(pod.annotations, map[string]string{
		v1alpha1.InjectedAnnotation: v1alpha1.ModeSidecar,
		v1alpha1.GrantedAnnotation:  strings.Join(names(p.grant), ","),
		v1alpha1.NoProxyAnnotation:  strings.Join(proxied(p.pod), ","),
	})
}
