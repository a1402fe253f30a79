package issuer

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// answerEvents answers with the scheduled events of the pod.
func (s *Server) answerEvents(x *exchange) (answer, error) {
	node, err := s.Directory.Node(x.request.Context(), s.NodeName)
	if err != nil {
		return answer{}, err
	}
	return answer{body: DescribeEvents(x.pod, node)}, nil
}

// DescribeEvents returns the scheduled events of a pod on a node.
func DescribeEvents(pod *corev1.Pod, node *corev1.Node) issuerapi.Events {
	described := issuerapi.Events{PodName: pod.Name, PodCreatedOn: pod.CreationTimestamp.Unix(), Events: []issuerapi.Event{}}
	if event := disruption.Of(pod, node); event != nil {
		described.Events = append(described.Events, issuerapi.Event{
			ID: event.ID, Type: string(event.Type), Source: string(event.Source),
			NotBefore: event.NotBefore.Unix(), Description: event.Description,
		})
	}
	return described
}
