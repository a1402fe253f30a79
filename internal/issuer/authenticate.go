package issuer

import (
	"context"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/issuer/watched"
	"github.com/kube-imds/kube-imds/internal/reply"
)

// podLag is how long a pod, its address or what it hangs on may be unknown: its sidecar can be faster than the watches that tell
// of it.
const podLag = 2 * time.Second

// authenticate finds out which pod the token is of that a request from a source address shows.
func (s *Server) authenticate(request *http.Request, source string) (workload.Workload, error) {
	if !s.AnyAddress {
		done, err := s.Limits.BeginUnknown(source)
		defer done()
		if err != nil {
			return workload.Workload{}, err
		}
	}
	bearer, found := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	if !found || bearer == "" {
		return workload.Workload{}, reply.Unauthenticated("the request carries no bearer token")
	}
	authenticated, err := s.Authenticator.Authenticate(bearer)
	if err != nil {
		return workload.Workload{}, reply.Unauthenticated(err.Error())
	}
	if authenticated.Node.Name != s.NodeName {
		return authenticated, reply.Forbidden(reply.ReasonOtherNode, "the pod runs on node "+authenticated.Node.Name)
	}
	return authenticated, nil
}

// findPod finds the pod among those of this node, or says why it is not served. What is not as it must be may not be known yet.
func (s *Server) findPod(ctx context.Context, who caller) (pod *corev1.Pod, mayChange bool, err error) {
	pod, err = s.Directory.Pod(ctx, who.workload.Pod.UID)
	if err != nil {
		return nil, false, err
	}
	if pod == nil {
		return nil, true, s.unknown(who.workload)
	}
	if err := directory.CheckPod(pod, who.workload); err != nil {
		return nil, false, err
	}
	if !watched.Asks(pod) {
		return nil, false, reply.Forbidden(reply.ReasonNotInjected, "the pod has no volume with a token for the issuer: "+
			"what it hangs on is not known here, however it came by its token")
	}
	return pod, true, s.checkAddress(pod, who.source)
}

// unknown is what a pod is told that stays unknown. It was deleted, or, where its token is as young as a pod can be, may be
// new: an issuer that lost its API server for a while hears of new pods late, and clients do not ask again after a final
// refusal.
func (s *Server) unknown(found workload.Workload) error {
	if s.Now().Sub(found.TokenIssuedAt) < directory.Youth {
		return reply.Unavailable("the pod is not known yet")
	}
	return reply.Forbidden(reply.ReasonUnknownPod, "no such pod runs on this node")
}
