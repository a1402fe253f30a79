package disruption

import corev1 "k8s.io/api/core/v1"

// Of returns the event of a pod, or nil. There is one at most, because a pod ends once: what the pod says of its own end
// outweighs what its node announces. If both mean a redeployment they are the same event with the same ID, such as a cordon
// and the eviction that follows.
//
// Taints must have the time at which they were added.
func Of(pod *corev1.Pod, node *corev1.Node) *Event {
	own, ownBegan := podEvent(pod)
	announced, announcedBegan := nodeEvent(pod, node)
	switch {
	case own == nil && announced == nil:
		return nil
	case own == nil:
		return identify(pod, *announced, announcedBegan)
	case announced != nil && own.Type == announced.Type:
		return identify(pod, *own, announcedBegan)
	}
	return identify(pod, *own, ownBegan)
}
