package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// pod returns a pod of a node that asks for an identity: by a binding, if the identity has one, or by its ServiceAccount's annotation.
func (p population) pod(name, node string, identity int) *corev1.Pod {
	pod := p.plainPod(name, node, identity)
	pod.Spec.Volumes = []corev1.Volume{build.IssuerToken()}
	return pod
}

// plainPod returns the same without IMDS.
func (p population) plainPod(name, node string, identity int) *corev1.Pod {
	account := accountsOf * identity
	if identity < p.bindings {
		account++
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.home(identity), Name: name, Labels: map[string]string{"app": name, "team": p.home(identity)}},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: p.accountName(account), Containers: []corev1.Container{{Name: "app", Image: "app"}},
		},
	}
}

// run creates a pod and sets it running, as the scheduler and a kubelet do.
func (c *cluster) run(ctx context.Context, pod *corev1.Pod, address string) error {
	if err := c.Create(ctx, pod); err != nil {
		return fmt.Errorf("create pod %s: %w", pod.Name, err)
	}
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, address, []corev1.PodIP{{IP: address}}
	if err := c.Status().Update(ctx, pod); err != nil {
		return fmt.Errorf("set pod %s running: %w", pod.Name, err)
	}
	return nil
}

// podAddress returns the address of a pod: one of loopback's, from which its sidecar's requests come.
func podAddress(n int) string {
	return fmt.Sprintf("127.%d.%d.%d", 100+n/(250*250), n/250%250, n%250+1)
}
