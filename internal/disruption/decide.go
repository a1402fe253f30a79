package disruption

import corev1 "k8s.io/api/core/v1"

// Of is the event of a pod, or nil where there is none. There is one at most, for a pod ends once: what the pod says of its
// own end outweighs what its node announces. Where both mean a redeployment it is the same one, as when a cordon is
// followed by the eviction, and it keeps its ID.
//
// Taints must bear the time at which they were added.
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
