package issuer

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/directory"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/workload"
)

// podLag is how long a pod may be unknown: its sidecar can be faster than the watch that tells of it.
const podLag = 2 * time.Second

// authenticate finds out which pod sent the request.
func (s *Server) authenticate(request *http.Request) (workload.Workload, error) {
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

// findPod finds the pod among those of this node. One that is not known yet is waited for. One that stays unknown was
// deleted, or, where its token is as young as a pod can be, may be new: an issuer that lost its API server for a while
// hears of new pods late, and clients do not ask again after a final refusal. One that has ended is refused.
func (s *Server) findPod(asking context.Context, found workload.Workload) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(asking, podLag)
	defer cancel()
	for {
		changed := s.Directory.Changed()
		pod, err := s.Directory.Pod(ctx, found.Pod.UID)
		if err != nil {
			return nil, err
		}
		if pod != nil {
			if err := directory.CheckPod(pod, found); err != nil {
				return nil, err
			}
			return pod, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if err := asking.Err(); err != nil {
				return nil, fmt.Errorf("wait for the pod: %w", err)
			}
			if s.Now().Sub(found.TokenIssuedAt) < directory.Youth {
				return nil, reply.Unavailable("the pod is not known yet")
			}
			return nil, reply.Forbidden(reply.ReasonUnknownPod, "no such pod runs on this node")
		}
	}
}
