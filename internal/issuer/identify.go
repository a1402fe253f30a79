package issuer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/cluster/directory"
	"github.com/kube-imds/kube-imds/internal/cluster/workload"
	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/server"
)

// identify authenticates the pod behind a request, applies its limits, and looks up what it may have.
func (s *Server) identify(x *exchange) error {
	var err error
	if x.workload, err = s.authenticate(x); err != nil {
		return err
	}
	if x.turn, err = s.Limits.beginPod(asker{x.workload.Pod.UID, x.source}); err != nil {
		return err
	}
	if err := s.lookUp(x); err != nil {
		return err
	}
	server.Proven(x.request.Context())
	return nil
}

// authenticate verifies the token of a request and returns the pod that it names.
func (s *Server) authenticate(x *exchange) (workload.Workload, error) {
	if !s.AnyAddress {
		turn, err := s.Limits.beginUnknown(x.source)
		defer turn.end()
		if err != nil {
			return workload.Workload{}, err
		}
	}
	authenticated, err := x.protocol.authenticate(s, x)
	if err != nil {
		return workload.Workload{}, err
	}
	if authenticated.Node.Name != s.NodeName {
		return authenticated, failure.Denied(failure.ReasonOtherNode, "the pod runs on node "+authenticated.Node.Name)
	}
	return authenticated, nil
}

// lookUp finds the pod and decides what it may have now.
func (s *Server) lookUp(x *exchange) error {
	return s.await(x, func(ctx context.Context) (mayChange bool, err error) {
		x.changed = s.Directory.Changed(x.workload.Pod.UID)
		x.pod, mayChange, err = s.findPod(ctx, x)
		if err != nil {
			return mayChange, err
		}
		x.grant, err = s.decide(ctx, x)
		return errors.Is(err, directory.ErrNotKnown), err
	})
}

// watchLag is how long a pod, its address or what its grant depends on may be unknown: a sidecar can be faster than the watches.
const watchLag = 2 * time.Second

// await calls look, and again after each change while the error may only be due to the watches' lag, for watchLag at the most.
func (s *Server) await(x *exchange, look func(context.Context) (mayChange bool, err error)) error {
	ctx, waits := x.request.Context(), false
	for {
		changed := s.Directory.Changed(x.workload.Pod.UID)
		mayChange, err := look(ctx)
		if err == nil || !mayChange {
			return err
		}
		// Nearly every pod is known at once.
		if !waits {
			waiting, cancel := context.WithTimeout(ctx, watchLag)
			defer cancel()
			ctx, waits = waiting, true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if gone := x.request.Context().Err(); gone != nil {
				return fmt.Errorf("wait for the watches to catch up: %w", gone)
			}
			return err
		}
	}
}

// findPod finds the pod on this node and checks that it may ask. mayChange reports whether the error may be due to lag.
func (s *Server) findPod(ctx context.Context, x *exchange) (pod *corev1.Pod, mayChange bool, err error) {
	pod, err = s.Directory.Pod(ctx, x.workload.Pod.UID)
	if err != nil {
		return nil, false, err
	}
	if pod == nil {
		return nil, true, s.unknown(x.workload)
	}
	if err := directory.CheckPod(pod, x.workload); err != nil {
		return nil, false, err
	}
	if !directory.Asks(pod) {
		return nil, false, failure.Denied(failure.ReasonNotInjected, "the pod has no volume with a token for the issuer, so its grant "+
			"is not known here, however it got this token")
	}
	return pod, true, s.checkAddress(pod, x.source)
}

// unknown returns the failure of a pod that stays unknown. Either it was deleted or, while its token is younger than a watch may
// lag, it is new: an issuer that lost the API server hears late of new pods, and clients do not retry a final refusal.
func (s *Server) unknown(found workload.Workload) error {
	if s.Now().Sub(found.TokenIssuedAt) < directory.MaxLag {
		return failure.NotNow("the pod is not known yet")
	}
	return failure.Denied(failure.ReasonUnknownPod, "no such pod runs on this node")
}

// checkAddress makes a pod's token useless outside the pod: the request must come from one of the pod's own addresses.
func (s *Server) checkAddress(pod *corev1.Pod, source string) error {
	// The grant refuses pods in the node's network, and says why.
	if s.AnyAddress || pod.Spec.HostNetwork {
		return nil
	}
	if len(pod.Status.PodIPs) == 0 {
		return failure.NotNow("the pod's address is not known yet")
	}
	from, err := netip.ParseAddr(source)
	isFrom := func(own corev1.PodIP) bool {
		address, err := netip.ParseAddr(own.IP)
		return err == nil && address.Unmap() == from.Unmap().WithZone("")
	}
	if err == nil && slices.ContainsFunc(pod.Status.PodIPs, isFrom) {
		return nil
	}
	return failure.Denied(failure.ReasonOtherAddress, "the request comes from an address that is not the pod's: its token was taken "+
		"elsewhere, or the network hides the pods' addresses from this issuer (see issuer.requirePodAddress in the chart's values)")
}

// decide decides what the pod may have.
func (s *Server) decide(ctx context.Context, x *exchange) (grant.Grant, error) {
	decided, err := s.Directory.Grant(ctx, x.pod, x.workload.ServiceAccount.UID, s.Now())
	if denial := decided.Denied(); err == nil && denial != nil && denial.Reason == grant.ReasonHostNetwork {
		err = failure.Denied(string(denial.Reason), denial.Message)
	}
	return decided, err
}

// bearerOf returns the bearer token of a request, or "".
func bearerOf(request *http.Request) string {
	bearer, found := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	if !found {
		return ""
	}
	return bearer
}

// sourceOf returns a remote address without its port.
func sourceOf(remoteAddress string) string {
	host, _, err := net.SplitHostPort(remoteAddress)
	if err != nil {
		return remoteAddress
	}
	return host
}
