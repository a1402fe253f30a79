package webhook

import (
	"encoding/json"
	"fmt"
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

// apply applies the plan to a pod in generic form.
func (p plan) apply(pod map[string]any) error {
	for _, step := range []func(map[string]any) error{p.addContainers, p.addVolume, p.addSysctl, p.addTrust, p.addHostAliases, p.addWorkloadIdentity, p.extendNoProxy} {
		if err := step(pod); err != nil {
			return err
		}
	}
	return p.annotate(pod)
}

// addContainers puts net-init and the sidecar before all other init containers.
func (p plan) addContainers(pod map[string]any) error {
	return editList(pod, func(existing []any) ([]any, error) {
		own, err := generic(p.keep(p.netInit()), p.keep(p.sidecar()))
		if err != nil {
			return nil, err
		}
		return append(own, withoutNames(existing, netInitName, sidecarName)...), nil
	}, "spec", "initContainers")
}

func (p plan) addVolume(pod map[string]any) error {
	return editList(pod, func(existing []any) ([]any, error) {
		own, err := generic(p.tokenVolume())
		if err != nil {
			return nil, err
		}
		return append(withoutNames(existing, tokenVolumeName), own...), nil
	}, "spec", "volumes")
}

// extendNoProxy keeps containers with a proxy from sending it requests for IMDS, and for hosts that the pod finds in the cluster.
func (p plan) extendNoProxy(pod map[string]any) error {
	hosts := append([]string{imdsAddress}, p.hosts.asked...)
	return eachContainer(pod, func(container map[string]any) error { return extendNoProxy(container, hosts) })
}

// annotate records the injection in an annotation.
func (p plan) annotate(pod map[string]any) error {
	return setAnnotations(pod, map[string]string{
		v1alpha1.InjectedAnnotation: v1alpha1.ModeSidecar,
		v1alpha1.GrantedAnnotation:  strings.Join(names(p.grant), ","),
		v1alpha1.NoProxyAnnotation:  strings.Join(proxied(p.pod), ","),
	})
}

// setAnnotations sets annotations of the pod, and removes those whose value is empty.
func setAnnotations(pod map[string]any, values map[string]string) error {
	annotations, err := object(pod, "metadata", "annotations")
	if err != nil {
		return err
	}
	for name, value := range values {
		if delete(annotations, name); value != "" {
			annotations[name] = value
		}
	}
	return nil
}

// containerLists are the fields with the containers of a pod that is created.
var containerLists = []string{"initContainers", "containers"}

// eachContainer edits every container of the pod.
func eachContainer(pod map[string]any, edit func(container map[string]any) error) error {
	for _, list := range containerLists {
		err := editList(pod, func(containers []any) ([]any, error) {
			for _, container := range containers {
				if container, ok := container.(map[string]any); ok {
					if err := edit(container); err != nil {
						return nil, err
					}
				}
			}
			return containers, nil
		}, "spec", list)
		if err != nil {
			return err
		}
	}
	return nil
}

// editList edits a list of the pod, which may be missing or null. The helpers of package unstructured would copy the list, and fail
// on null.
func editList(pod map[string]any, edit func([]any) ([]any, error), path ...string) error {
	last := len(path) - 1
	parent, err := object(pod, path[:last]...)
	if err != nil {
		return err
	}
	existing, ok := parent[path[last]].([]any)
	if !ok && parent[path[last]] != nil {
		return fmt.Errorf("the pod's %s is not a list", strings.Join(path, "."))
	}
	edited, err := edit(existing)
	if err != nil || len(edited) == 0 {
		return err
	}
	parent[path[last]] = edited
	return nil
}

// object returns the object at a path of the pod, creating it if necessary.
func object(pod map[string]any, path ...string) (map[string]any, error) {
	for i, field := range path {
		child, ok := pod[field].(map[string]any)
		if !ok {
			if pod[field] != nil {
				return nil, fmt.Errorf("the pod's %s is not an object", strings.Join(path[:i+1], "."))
			}
			child = map[string]any{}
			pod[field] = child
		}
		pod = child
	}
	return pod, nil
}

// withoutNames drops the items with these names.
func withoutNames(items []any, names ...string) []any {
	return slices.DeleteFunc(items, func(item any) bool { return slices.Contains(names, nameOf(item)) })
}

// nameOf returns the name of an item.
func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// generic converts typed values to generic JSON.
func generic(values ...any) ([]any, error) {
	content, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("write what is added to the pod: %w", err)
	}
	var items []any
	if err := json.Unmarshal(content, &items); err != nil {
		return nil, fmt.Errorf("write what is added to the pod: %w", err)
	}
	return items, nil
}
