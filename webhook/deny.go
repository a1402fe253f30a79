package webhook

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// denial is why a pod cannot have IMDS, and what to do.
type denial struct {
	reason  string
	message string
}

// decline is the way out that always exists: the pod's namespace may have asked for it.
const decline = "decline with the annotation " + v1alpha1.InjectAnnotation + `: "false"`

// deny returns the first reason to deny a pod, or nil.
func (o Options) deny(pod *corev1.Pod, decided grant.Grant) *denial {
	for _, check := range []func(*corev1.Pod) *denial{denyMode, denyWindows, denyNames, denyTokenMounts, o.denyInterception} {
		if found := check(pod); found != nil {
			return found
		}
	}
	return denyGrant(decided)
}

func denyMode(pod *corev1.Pod) *denial {
	mode, found := pod.Annotations[v1alpha1.ModeAnnotation]
	if !found || mode == v1alpha1.ModeSidecar {
		return nil
	}
	return &denial{"UnknownMode", fmt.Sprintf("the annotation %s is %q: want %q or no annotation",
		v1alpha1.ModeAnnotation, mode, v1alpha1.ModeSidecar)}
}

func denyWindows(pod *corev1.Pod) *denial {
	if pod.Spec.OS == nil || pod.Spec.OS.Name != corev1.Windows {
		return nil
	}
	return &denial{"Windows", "Windows pods cannot have IMDS: " + decline}
}

// denyNames reserves the names of our containers and our volumes. Those of an earlier admission are replaced.
func denyNames(pod *corev1.Pod) *denial {
	for _, container := range pod.Spec.Containers {
		if container.Name == sidecarName || container.Name == netInitName {
			return nameTaken("container", container.Name)
		}
	}
	for _, container := range pod.Spec.InitContainers {
		if subcommand, reserved := ownSubcommands[container.Name]; reserved && (len(container.Args) == 0 || container.Args[0] != subcommand) {
			return nameTaken("container", container.Name)
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == tokenVolumeName && !workload.IsToken(&volume, issuerapi.Audience) {
			return nameTaken("volume", volume.Name)
		}
		if volume.Name == trustVolumeName && !isTrustVolume(volume) {
			return nameTaken("volume", volume.Name)
		}
	}
	return nil
}

func nameTaken(kind, name string) *denial {
	return &denial{"NameTaken", fmt.Sprintf("%s name %q is reserved; rename it", kind, name)}
}

// denyGrant denies a pod that asks for an identity it will not get. An identity that is not ready yet is no reason.
func denyGrant(decided grant.Grant) *denial {
	if denied := decided.Denied(); denied != nil && denied.Reason == grant.ReasonHostNetwork {
		return &denial{string(denied.Reason), denied.Message + ", or " + decline}
	}
	var messages []string
	reason := ""
	for _, refusal := range decided.Refusals {
		if refusal.Temporary() {
			continue
		}
		messages = append(messages, refusal.Message)
		if reason == "" {
			reason = string(refusal.Reason)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return &denial{reason, strings.Join(messages, "; ")}
}
