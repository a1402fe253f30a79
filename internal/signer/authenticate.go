package signer

import (
	"context"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// authenticate returns the issuer that sent the request. Its pod must still exist, so that deleting it revokes what was
// stolen from it.
func (s *Server) authenticate(request *http.Request) (workload.Workload, error) {
	bearer, found := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	if !found || bearer == "" {
		return workload.Workload{}, failure.Unauthorized("the request carries no bearer token")
	}
	issuer, err := s.Issuers.Authenticate(bearer)
	if err != nil {
		return workload.Workload{}, failure.Unauthorized(err.Error())
	}
	if issuer.Namespace != s.Namespace || issuer.ServiceAccount.Name != s.IssuerAccount {
		return issuer, failure.Unauthorized("the token is not an issuer's")
	}
	pod, err := s.findPod(request.Context(), issuer.Node.Name, issuer)
	if err != nil {
		return issuer, err
	}
	return issuer, directory.CheckPod(pod, issuer)
}

// findPod returns a pod that runs on a node now. An unknown pod was deleted or, while its token is younger than a watch may
// lag, is new.
func (s *Server) findPod(ctx context.Context, node string, found workload.Workload) (*corev1.Pod, error) {
	pod, err := s.Directory.Pod(ctx, found.Pod.UID)
	if err != nil {
		return nil, err
	}
	switch {
	case pod == nil && s.Now().Sub(found.TokenIssuedAt) < directory.MaxLag:
		return nil, failure.NotNow("the pod is not known yet")
	case pod == nil:
		return nil, failure.Denied(failure.ReasonUnknownPod, "there is no such pod")
	case pod.Spec.NodeName != node:
		return nil, failure.Denied(failure.ReasonOtherNode, "the pod runs on node "+pod.Spec.NodeName+", not on the issuer's")
	}
	return pod, nil
}

// subject is the pod that a request is about, and its node.
type subject struct {
	pod  *corev1.Pod
	node *corev1.Node

	// accountUID is the UID of the ServiceAccount in the pod's token; "" without a token.
	accountUID string
}

// find returns the pod that an issuer asks for.
func (s *Server) find(ctx context.Context, issuer workload.Workload, asked signerapi.Pod) (subject, error) {
	found := workload.Workload{Pod: workload.Reference{UID: asked.UID}}
	if asked.Token != "" {
		var err error
		if found, err = s.Pods.Authenticate(asked.Token); err != nil {
			return subject{}, failure.Denied(failure.ReasonUnauthenticated, "the pod's own token: "+err.Error())
		}
		if found.Pod.UID != asked.UID || found.Node.Name != issuer.Node.Name {
			return subject{}, failure.Denied(failure.ReasonUnauthenticated, "the token that was passed on is another pod's")
		}
	}
	pod, err := s.findPod(ctx, issuer.Node.Name, found)
	if err != nil {
		return subject{}, err
	}
	if asked.Token != "" {
		err = directory.CheckPod(pod, found)
	} else {
		err = directory.CheckRuns(pod)
	}
	if err != nil {
		return subject{pod: pod}, err
	}
	node, err := s.Directory.Node(ctx, issuer.Node.Name)
	if err != nil {
		return subject{pod: pod}, err
	}
	if err := checkNode(node, issuer); err != nil {
		return subject{pod: pod}, err
	}
	return subject{pod, node, found.ServiceAccount.UID}, nil
}

// checkNode returns an error for the issuer of a former node of its node's name.
func checkNode(node *corev1.Node, issuer workload.Workload) error {
	if issuer.Node.UID != string(node.UID) {
		return failure.Denied(failure.ReasonOtherNode, "the issuer's token is of a former node of that name")
	}
	return nil
}
