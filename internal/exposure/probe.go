package exposure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/install"
)

// Probe checks what a node lets pods reach, from new pods that are not injected.
type Probe struct {
	Client client.Client

	// Namespace is where the pods are created. Image is the sidecar's, which they run.
	Namespace, Image string

	// Timeout bounds one pod.
	Timeout time.Duration
}

const (
	// terminationLog is where the kubelet reads a container's termination message.
	terminationLog = "/dev/termination-log"

	// pollInterval is how often a pod is checked.
	pollInterval = 250 * time.Millisecond

	// removalTimeout bounds the removal of a pod, even after an interruption.
	removalTimeout = 10 * time.Second
)

// reached is what the sidecar's subcommand reach prints if a metadata service answers. Otherwise it prints notReached and
// why.
const (
	reached    = "reached"
	notReached = "not reached: "
)

// Reachable reports whether a pod on the node gets an answer from 169.254.169.254:80, or why not.
func (p *Probe) Reachable(ctx context.Context, node string) (answers bool, why string, err error) {
	pod := p.pod(node)
	if err := p.Client.Create(ctx, pod); err != nil {
		return false, "", fmt.Errorf("make a pod on node %s: %w", node, err)
	}
	defer func() { err = errors.Join(err, p.remove(ctx, pod)) }()
	message, err := p.lastWords(ctx, pod)
	if err != nil {
		return false, "", fmt.Errorf("look from a pod on node %s: %w", node, err)
	}
	if message == reached {
		return true, "", nil
	}
	why, found := strings.CutPrefix(message, notReached)
	if !found {
		return false, "", fmt.Errorf("look from a pod on node %s: it says %q: is %s the image of kube-imds' sidecar, of this version?",
			node, message, p.Image)
	}
	return false, why, nil
}

// pod returns a pod that asks once, without any right and without our IMDS. It tolerates every taint.
func (p *Probe) pod(node string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: p.Namespace, GenerateName: "kube-imds-check-",
			Annotations: map[string]string{v1alpha1.InjectAnnotation: "false"},
		},
		Spec: corev1.PodSpec{
			NodeName:                     node,
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: new(false),
			EnableServiceLinks:           new(false),
			ActiveDeadlineSeconds:        new(int64(p.Timeout.Seconds()) + 1),
			Tolerations:                  []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers: []corev1.Container{{
				Name: "check", Image: p.Image, Args: []string{"reach", "--output=" + terminationLog},
				SecurityContext:          install.Restricted(),
				TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			}},
		},
	}
}

// lastWords waits until the pod has ended and returns its termination message.
func (p *Probe) lastWords(ctx context.Context, pod *corev1.Pod) (string, error) {
	message, state := "", "it has not started"
	err := wait.PollUntilContextTimeout(ctx, pollInterval, p.Timeout, true, func(ctx context.Context) (bool, error) {
		if err := p.Client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return false, err
		}
		for _, status := range pod.Status.ContainerStatuses {
			if ended := status.State.Terminated; ended != nil {
				message = strings.TrimSpace(ended.Message)
				return true, nil
			}
			if waiting := status.State.Waiting; waiting != nil {
				state = strings.TrimSpace(waiting.Reason + " " + waiting.Message)
			}
		}
		if pod.Status.Phase == corev1.PodFailed {
			return false, fmt.Errorf("the pod failed: %s %s", pod.Status.Reason, pod.Status.Message)
		}
		return false, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return "", fmt.Errorf("the pod did not end within %s: %s", p.Timeout, state)
	}
	return message, err
}

// remove deletes a pod, even after an interruption.
func (p *Probe) remove(ctx context.Context, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTimeout)
	defer cancel()
	if err := client.IgnoreNotFound(p.Client.Delete(ctx, pod, client.GracePeriodSeconds(0))); err != nil {
		return fmt.Errorf("remove pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return nil
}
