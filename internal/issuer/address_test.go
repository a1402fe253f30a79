package issuer

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

var (
	elsewhere = notServed.because(failure.ReasonOtherAddress)
	onItsNode = notServed.because("HostNetwork")
)

// withAddresses sets the pod's addresses.
func withAddresses(addresses ...string) func(*world) {
	return withPod(func(pod *corev1.Pod) {
		pod.Status.PodIPs = nil
		for _, one := range addresses {
			pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: one})
		}
	})
}

// A stolen token is useless in another pod and on another node.
func TestTokenIsAcceptedFromThePodsAddressesOnly(t *testing.T) {
	granted := refusal{}
	for name, test := range map[string]struct {
		world  *world
		source string
		want   refusal
	}{
		"own address":                    {newWorld(withAddresses("10.0.0.7")), "10.0.0.7:1024", granted},
		"other own address":              {newWorld(withAddresses("10.0.0.7", "fd00::7")), "[fd00::7]:1024", granted},
		"own address, mapped":            {newWorld(withAddresses("10.0.0.7")), "[::ffff:10.0.0.7]:1024", granted},
		"own address, written at length": {newWorld(withAddresses("fd00:0:0:0:0:0:0:7")), "[fd00::7]:1024", granted},
		"another pod's address":          {newWorld(withAddresses("10.0.0.7")), "10.0.0.8:1024", elsewhere},
		"another pod's IPv6":             {newWorld(withAddresses("10.0.0.7", "fd00::7")), "[fd00::8]:1024", elsewhere},
		"not an IP":                      {newWorld(withAddresses("10.0.0.7")), "@", elsewhere},
		"no known address":               {newWorld(withAddresses()), "10.0.0.7:1024", away},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, test.world, func(s *stage) {
				request := s.request(ordersPod().sign(t), http.MethodPost, issuerapi.TokenPath, askVault)
				request.RemoteAddr = test.source
				recorder := s.ask(request)
				if test.want == granted {
					wantStatus(t, recorder, http.StatusOK)
					return
				}
				s.wantRefusal(recorder, test.want)
				if last := s.audit.entries(t)[0]; last["source"] != sourceOf(test.source) || last["pod"] != "orders-0" {
					t.Errorf("the audit log does not name the source and the pod: %v", last)
				}
			})
		})
	}
}

func TestAnyAddressIsAcceptedWhereTheNetworkHidesThem(t *testing.T) {
	onStage(t, newWorld(withAddresses("10.0.0.8")), func(s *stage) {
		s.AnyAddress = true
		for range 10 * podLimits.Burst {
			s.askFrom("10.0.0.1:1024", "")
		}
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
	})
}

// The kubelet reports a pod's address late: when the pod uses it already, and again when its sandbox was recreated.
func TestAddressReportedInTimeIsAccepted(t *testing.T) {
	for name, before := range map[string]func(*world){"none before": withAddresses(), "another before": withAddresses("10.0.0.6")} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(before)
			onStage(t, w, func(s *stage) {
				go func() {
					time.Sleep(watchLag - time.Second)
					s.update(w.pod, func() {})
					w.pod.Status.PodIPs = []corev1.PodIP{{IP: ordersAddress}}
					if err := s.client.Status().Update(s.Context(), w.pod); err != nil {
						t.Error(err)
					}
					s.changes.Notify()
				}()
				wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
			})
		})
	}
}

// A thief of a pod's token cannot use up the pod's own limit.
func TestThiefDoesNotThrottleThePod(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		var thief sync.WaitGroup
		bearer := ordersPod().sign(t)
		for range 2 * podLimits.Burst {
			thief.Go(func() { s.askFrom("10.0.0.8:1024", bearer) })
		}
		defer thief.Wait()
		synctest.Wait()
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
	})
}

// A user who may create tokens may create one that is valid for a day.
func TestLongLivedTokenIsRefused(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		who := ordersPod()
		who.life = 24 * time.Hour
		s.wantRefusal(s.askToken(who, askVault), notAuthenticated)
	})
}

// The webhook denies pods in their node's network. A pod that got past it is not served either.
func TestPodInTheNodesNetworkIsRefused(t *testing.T) {
	for path, method := range map[string]string{issuerapi.TokenPath: http.MethodPost, issuerapi.AttestationPath: http.MethodPost} {
		t.Run(path, func(t *testing.T) {
			onStage(t, newWorld(withPod(func(pod *corev1.Pod) { pod.Spec.HostNetwork = true })), func(s *stage) {
				s.wantRefusal(s.ask(s.request(ordersPod().sign(t), method, path, askVault)), onItsNode)
			})
		})
	}
}

// Unauthenticated requests are limited before anything is verified.
func TestVerificationsOfASourceAreLimited(t *testing.T) {
	onStage(t, newWorld(), func(s *stage) {
		statuses := map[int]int{}
		for range 2 * unknownTimes * podLimits.Burst {
			statuses[s.askFrom("10.0.0.8:1024", "e30.e30.e30")]++
		}
		if statuses[http.StatusUnauthorized] != unknownTimes*podLimits.Burst || statuses[http.StatusTooManyRequests] != unknownTimes*podLimits.Burst {
			t.Errorf("statuses = %v", statuses)
		}
		wantStatus(t, s.askToken(ordersPod(), askVault), http.StatusOK)
	})
}
