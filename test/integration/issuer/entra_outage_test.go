package issuer

import (
	"errors"
	"flag"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/test/entra"
)

var entraOutage = flag.Duration("entra-outage", 4*time.Second,
	"how `long` Entra ID is down in TestEntraOutage; its other troubles last a tenth of that, 3s at least")

const (
	// oldPods is how many pods have tokens before the first trouble. In each trouble one more starts.
	oldPods = 4

	// slowness is longer than a sidecar waits for its issuer, and shorter than an issuer waits for Entra ID.
	slowness = 6 * time.Second

	// renewalTick is how often an issuer looks for tokens to renew, and longestPause its longest pause after a failure, with jitter.
	renewalTick  = 15 * time.Second
	longestPause = 75 * time.Second
)

// trouble is something that happens to Entra ID.
type trouble struct {
	name  string
	fault entra.Fault
	lasts time.Duration

	// status is that of the first answer to an application that asks for something new.
	status int
}

// troubles are those of the test. The first one is none, to compare with.
func troubles() []trouble {
	brief := max(*entraOutage/10, 3*time.Second)
	wait := strconv.Itoa(int(min(brief/2, 20*time.Second).Seconds()))
	return []trouble{
		{"answers as always", entra.Fault{}, brief, http.StatusOK},
		{fmt.Sprintf("takes %s", slowness), entra.Fault{Delay: slowness}, brief, http.StatusServiceUnavailable},
		{"throttles: 429 with Retry-After " + wait, entra.Fault{Status: http.StatusTooManyRequests, RetryAfter: wait}, brief,
			http.StatusTooManyRequests},
		{"is down: hangs up", entra.Fault{HangUp: true}, *entraOutage, http.StatusServiceUnavailable},
		{"fails: 503", entra.Fault{Status: http.StatusServiceUnavailable}, brief, http.StatusServiceUnavailable},
		{"refuses: AADSTS700016", entra.Fault{Code: 700016}, brief, http.StatusBadRequest},
	}
}

// newResource is a resource that is asked for in one trouble only.
func newResource(n int) string { return fmt.Sprintf("https://new-%d.example", n) }

// Applications with a cached token, and those of pods that start on a node with one, do not notice what happens to Entra ID.
func TestEntraOutage(t *testing.T) {
	o := startOutage(t)
	var phases []*phase
	for n, one := range troubles() {
		phases = append(phases, o.suffer(t, n, one))
	}
	o.cached.end()
	for _, one := range phases {
		one.cached = o.cached.between(one.began, one.over())
		one.check(t)
	}
	o.checkExpiry(t)
	o.checkLogs(t)
	t.Logf("what applications saw:\n%s%s", outageTable(phases), o.expiryLine())
}

// outage is a node with pods whose applications ask for tokens all the time.
type outage struct {
	*entraTest
	program string
	pods    []*corev1.Pod

	// sidecars are those of the pods that have started.
	sidecars []*sidecarProcess

	// cached ask for what the node has tokens of, and short for a token that expires while Entra ID is down.
	cached, short *applications
}

func startOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{entraTest: startEntra(t, false), program: buildPart(t, "sidecar")}
	// An issuer's tokens are due at once, and outlive the longest trouble and what comes before it.
	o.entra.RefreshIn, o.entra.ExpiresIn = 1, int(max(2**entraOutage+2*time.Minute, 10*time.Minute).Seconds())
	o.entra.Resources = append(o.entra.Resources, expiring)
	for n := range troubles() {
		o.entra.Resources = append(o.entra.Resources, newResource(n))
	}
	for n := range oldPods + len(troubles()) {
		o.pods = append(o.pods, o.newPodAt(t, fmt.Sprintf("127.1.0.%d", n+1), fmt.Sprintf("pod-%d", n)))
	}
	o.federate(t)
	issuer := o.issuerPod(t, "node-1")
	o.renewToken(t, issuer, toPod(issuer).forSigner(), o.signerTokenFile)
	for _, resource := range []string{vault, storage} {
		o.grantedTo(t, o.bearer, resource)
	}
	o.cached = newApplications(t)
	for range oldPods {
		o.startPod(t)
	}
	return o
}

// startPod starts the sidecar and the applications of the next pod.
func (o *outage) startPod(t *testing.T) {
	t.Helper()
	sidecar := o.startSidecar(t, o.program, o.pods[len(o.sidecars)])
	o.sidecars = append(o.sidecars, sidecar)
	for _, resource := range []string{vault, storage} {
		o.cached.start(newApplication(sidecar, resource))
	}
}

// suffer lets a trouble happen, until what it did is over.
func (o *outage) suffer(t *testing.T, n int, one trouble) *phase {
	t.Helper()
	if one.fault.HangUp {
		o.takeShortToken(t)
	}
	p := &phase{trouble: one, renewals: -o.asked(vault, storage)}
	fault := one.fault
	fault.Times = -1
	o.entra.Fail(fault)
	p.began = time.Now()
	o.startPod(t)
	newcomers := newApplications(t)
	newcomers.start(newApplication(o.sidecars[0], newResource(n)))

	within(t, one.lasts+time.Minute, "the trouble lasts", func() error { return o.lasts(p) })
	if one.fault.HangUp {
		o.short.end()
	}
	p.renewals += o.asked(vault, storage)
	p.news = o.asked(newResource(n))
	o.entra.Fail()
	p.ended = time.Now()

	within(t, longestPause+time.Minute, "there is a token of the new resource", func() error {
		granted, found := newcomers.first(sample.granted)
		if !found {
			return errors.New("there is none")
		}
		p.recovered = granted.answered()
		return nil
	})
	newcomers.end()
	p.first, _ = newcomers.first(func(sample) bool { return true })
	return p
}

// asked returns how often Entra ID was asked for resources.
func (o *outage) asked(resources ...string) (sum int) {
	for _, resource := range resources {
		sum += o.entra.Asked(entra.Exchange{ClientID: entraClient, Resource: resource})
	}
	return sum
}

// lasts returns why a trouble is not over: when Entra ID is down, an issuer must have tried to renew, and the short token have expired.
func (o *outage) lasts(p *phase) error {
	if time.Since(p.began) < p.trouble.lasts {
		return errors.New("it is not time yet")
	}
	if !p.fault.HangUp {
		return nil
	}
	if p.renewals+o.asked(vault, storage) == 0 {
		return errors.New("no token was due")
	}
	if _, expired := o.short.first(func(one sample) bool { return !one.granted() }); !expired {
		return errors.New("the short token is still served")
	}
	return nil
}

// checkLogs checks that sidecars log no token. The issuer's log is checked when it ends.
func (o *outage) checkLogs(t *testing.T) {
	t.Helper()
	tokens := map[string]bool{}
	for _, one := range append(o.cached.saw, o.short.saw...) {
		tokens[one.token] = true
	}
	delete(tokens, "")
	for token := range tokens {
		o.keepSecret(token)
		for _, sidecar := range o.sidecars {
			if strings.Contains(sidecar.log.String(), token) {
				t.Error("a sidecar's log contains a token")
			}
		}
	}
}
