package exposure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/install"
)

// pageSize is the page size of lists.
const pageSize = 500

// SidecarImage returns the sidecar's image that the installation's controller uses.
func SidecarImage(ctx context.Context, reader client.Reader) (string, error) {
	var deployments appsv1.DeploymentList
	if err := reader.List(ctx, &deployments, client.MatchingLabels{
		"app.kubernetes.io/name": "kube-imds", "app.kubernetes.io/component": "controller",
	}); err != nil {
		return "", fmt.Errorf("look for the installation: %w", err)
	}
	for _, deployment := range deployments.Items {
		for _, container := range deployment.Spec.Template.Spec.Containers {
			for _, argument := range container.Args {
				if image, found := strings.CutPrefix(argument, "--sidecar-image="); found {
					return image, nil
				}
			}
		}
	}
	return "", errors.New("there is no installation of kube-imds to be found: name the sidecar's image with --image")
}

// Nodes returns the sorted names of the nodes with the labels.
func Nodes(ctx context.Context, reader client.Reader, labels client.MatchingLabelsSelector) ([]string, error) {
	var nodes corev1.NodeList
	if err := reader.List(ctx, &nodes, labels); err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	var found []string
	for _, node := range nodes.Items {
		found = append(found, node.Name)
	}
	slices.Sort(found)
	return found, nil
}

// InjectedRaw returns the containers of running injected pods on some nodes that can send raw packets.
func InjectedRaw(ctx context.Context, reader client.Reader, onNode func(string) bool) ([]Raw, error) {
	var found []Raw
	page := corev1.PodList{}
	for {
		if err := reader.List(ctx, &page, client.Limit(pageSize), client.Continue(page.Continue)); err != nil {
			return nil, fmt.Errorf("list the pods: %w", err)
		}
		for i := range page.Items {
			pod := &page.Items[i]
			if install.IsInjected(pod) && onNode(pod.Spec.NodeName) && pod.Status.Phase == corev1.PodRunning {
				found = append(found, RawContainers(pod)...)
			}
		}
		if page.Continue == "" {
			return found, nil
		}
	}
}
