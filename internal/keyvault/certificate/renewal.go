package certificate

import (
	"crypto/x509"
	"time"
)

// Renewal returns when a certificate is renewed by the policy, if ever: what somebody else signs is not.
func (p *Policy) Renewal(leaf *x509.Certificate) (time.Time, bool) {
	if p.Issuer.Name != Self {
		return time.Time{}, false
	}
	for _, one := range p.LifetimeActions {
		if one.Action.Type != AutoRenew {
			continue
		}
		if percentage := one.Trigger.LifetimePercentage; percentage != nil {
			life := leaf.NotAfter.Sub(leaf.NotBefore)
			return leaf.NotBefore.Add(life / 100 * time.Duration(*percentage)), true
		}
		if days := one.Trigger.DaysBeforeExpiry; days != nil {
			return leaf.NotAfter.AddDate(0, 0, -*days), true
		}
	}
	return time.Time{}, false
}
