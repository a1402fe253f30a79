package slim

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxProviderID bounds a node's provider ID, in bytes, and maxTaints its taints. No real node has more.
	maxProviderID = 1 << 10
	maxTaints     = 256
)

// placeLabels are the labels of a node that instance metadata depends on.
var placeLabels = []string{corev1.LabelTopologyRegion, corev1.LabelTopologyZone, corev1.LabelInstanceTypeStable}

// Node keeps what instance metadata and scheduled events depend on. It drops what a node reports every few seconds.
func Node(object any) (any, error) {
	node, ok := object.(*corev1.Node)
	if !ok {
		return object, nil
	}
	labels := map[string]string{}
	for _, name := range placeLabels {
		if value, found := node.Labels[name]; found {
			labels[name] = value
		}
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name, UID: node.UID, ResourceVersion: node.ResourceVersion, Labels: labels},
		Spec: corev1.NodeSpec{
			ProviderID: cut(node.Spec.ProviderID, maxProviderID), Taints: first(node.Spec.Taints, maxTaints),
		},
	}, nil
}
