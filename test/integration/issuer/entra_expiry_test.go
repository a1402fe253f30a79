package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/kube-imds/kube-imds/test/entra"
)

// expiring is a resource whose token expires while Entra ID is down.
const expiring = "https://expiring.example"

// takeShortToken lets an application have a token that expires while Entra ID is down.
func (o *outage) takeShortToken(t *testing.T) {
	t.Helper()
	life := max(*entraOutage*7/10, 3*time.Second)
	o.entra.Fail(entra.Fault{Resource: expiring, Times: -1, ExpiresIn: int(life.Seconds())})
	o.short = newApplications(t)
	o.short.start(newApplication(o.sidecars[0], expiring))
	eventually(t, "the application has a short token", func() error {
		if _, found := o.short.first(sample.granted); !found {
			return errors.New("it has none")
		}
		return nil
	})
}

// checkExpiry checks that a token is served for as long as it is valid, and no longer.
func (o *outage) checkExpiry(t *testing.T) {
	t.Helper()
	first, _ := o.short.first(sample.granted)
	for _, one := range o.short.saw {
		switch {
		case one.answered().Before(first.sent): // there was no token yet
		case one.answered().Before(first.expires) && !one.granted():
			t.Errorf("%s before the short token expires: got %v", first.expires.Sub(one.sent), one)
		case !one.sent.Before(first.expires) && (one.status != http.StatusServiceUnavailable || one.retryAfter == ""):
			t.Errorf("%s after the short token expired: got %v", one.sent.Sub(first.expires), one)
		}
	}
}

// expiryLine says what the application with the short token saw.
func (o *outage) expiryLine() string {
	first, _ := o.short.first(sample.granted)
	refused, _ := o.short.first(func(one sample) bool { return !one.sent.Before(first.expires) })
	var served latencies
	for _, one := range o.short.between(first.sent, first.expires) {
		if one.granted() {
			served = append(served, one.took)
		}
	}
	return fmt.Sprintf("a token that expires after %s, while Entra ID is down: served %d times until then, in %d ms at the most; then %s\n",
		first.expires.Sub(first.sent).Round(time.Second), len(served), served.quantile(1).Milliseconds(), refused)
}
