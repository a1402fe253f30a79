package certificate

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestRenewal(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: begin, NotAfter: begin.AddDate(0, 0, 100)}
	for name, test := range map[string]struct {
		issuer string
		action LifetimeAction
		days   int // 0 if never
	}{
		"after a part of its life":   {Self, LifetimeAction{Trigger{LifetimePercentage: new(80)}, Action{AutoRenew}}, 80},
		"before its end":             {Self, LifetimeAction{Trigger{DaysBeforeExpiry: new(30)}, Action{AutoRenew}}, 70},
		"somebody is told":           {Self, LifetimeAction{Trigger{LifetimePercentage: new(80)}, Action{EmailContacts}}, 0},
		"another authority signs it": {Unknown, LifetimeAction{Trigger{LifetimePercentage: new(80)}, Action{AutoRenew}}, 0},
	} {
		at, ever := (&Policy{Issuer: Issuer{Name: test.issuer}, LifetimeActions: []LifetimeAction{test.action}}).Renewal(leaf)
		if want := begin.AddDate(0, 0, test.days); ever != (test.days > 0) || ever && !at.Equal(want) {
			t.Errorf("%s: %s, %t; want %s", name, at, ever, want)
		}
	}
}
