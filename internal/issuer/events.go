package issuer

import (
	"net/http"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// serveEvents answers with what is to become of the pod.
func (s *Server) serveEvents(writer http.ResponseWriter, request *http.Request) {
	caller, done, err := s.identify(request)
	defer done()
	if err != nil {
		if !reply.IsGone(err) {
			reply.Fail(writer, err)
		}
		return
	}
	node, err := s.Directory.Node(request.Context(), s.NodeName)
	if err != nil {
		reply.Fail(writer, err)
		return
	}
	reply.JSON(writer, http.StatusOK, describeEvents(caller.pod, node))
}

func describeEvents(pod *corev1.Pod, node *corev1.Node) issuerapi.Events {
	answer := issuerapi.Events{PodName: pod.Name, PodCreatedOn: pod.CreationTimestamp.Unix(), Events: []issuerapi.Event{}}
	if event := disruption.Of(pod, node); event != nil {
		answer.Events = append(answer.Events, issuerapi.Event{
			ID: event.ID, Type: string(event.Type), Source: string(event.Source),
			NotBefore: event.NotBefore.Unix(), Description: event.Description,
		})
	}
	return answer
}
