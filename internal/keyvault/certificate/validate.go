package certificate

import (
	"crypto/x509"
	"slices"
)

// The bounds of a policy.
const (
	maxMonths    = 1200
	maxEKUs      = 32
	maxOID       = 128
	maxActions   = 4
	maxIssuer    = 127
	daysPerMonth = 27
)

// Validate refuses a policy that no certificate can be made by here. Its defaults must be set.
func (p *Policy) Validate() error {
	for _, check := range []func() error{p.Issuer.validate, p.Key.validate, p.Secret.validate, p.X509.validate, p.validateActions} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) validate() error {
	if i.Name != Self && i.Name != Unknown {
		return refuse(NoSuchIssuer, "There is no issuer %q here: it must be Self or Unknown.", cut(i.Name))
	}
	if len(i.CertificateType) > maxIssuer {
		return badPolicy("The certificate type of the issuer is longer than %d characters.", maxIssuer)
	}
	return nil
}

func (k *KeyProperties) validate() error {
	switch k.Type {
	case RSA:
		if !slices.Contains(sizes, k.Size) {
			return badPolicy("The key_size of an RSA key must be 2048, 3072 or 4096.")
		}
		if k.Curve != "" {
			return badPolicy("An RSA key has no crv.")
		}
	case EC:
		curve := curves[k.Curve]
		if curve == nil {
			return badPolicy("The crv must be P-256, P-384 or P-521.")
		}
		if k.Size != curve.Params().BitSize {
			return badPolicy("The key_size is not that of the crv %s.", k.Curve)
		}
	default:
		return badPolicy("The kty %q is not supported here: it must be RSA or EC.", cut(k.Type))
	}
	return nil
}

func (s *SecretProperties) validate() error {
	if s.ContentType != PKCS12 && s.ContentType != PEM {
		return badPolicy("The contentType must be %s or %s.", PKCS12, PEM)
	}
	return nil
}

func (x *X509Properties) validate() error {
	name, err := ParseName(x.Subject)
	if err != nil {
		return err
	}
	if err := x.Names.validate(); err != nil {
		return err
	}
	if len(name) == 0 && x.Names.count() == 0 {
		return badPolicy("The policy must have a subject or a subject alternative name.")
	}
	if x.ValidityMonths == nil || *x.ValidityMonths < 1 || *x.ValidityMonths > maxMonths {
		return badPolicy("The validity_months must be from 1 to %d.", maxMonths)
	}
	return x.validateUsages()
}

func (x *X509Properties) validateUsages() error {
	if len(x.KeyUsage) > len(usages) {
		return badPolicy("There are more than %d key usages.", len(usages))
	}
	for _, usage := range x.KeyUsage {
		if !slices.Contains(usages, usage) {
			return badPolicy("The key usage %q is not known.", cut(usage))
		}
	}
	if len(x.EKUs) > maxEKUs {
		return badPolicy("There are more than %d extended key usages.", maxEKUs)
	}
	for _, eku := range x.EKUs {
		if _, err := x509.ParseOID(eku); err != nil || len(eku) > maxOID {
			return badPolicy("The extended key usage %q is not an object identifier.", cut(eku))
		}
	}
	return nil
}

func (p *Policy) validateActions() error {
	if len(p.LifetimeActions) > maxActions {
		return badPolicy("There are more than %d lifetime actions.", maxActions)
	}
	for _, one := range p.LifetimeActions {
		if one.Action.Type != AutoRenew && one.Action.Type != EmailContacts {
			return badPolicy("The action_type of a lifetime action must be %s or %s.", AutoRenew, EmailContacts)
		}
		percentage, days := one.Trigger.LifetimePercentage, one.Trigger.DaysBeforeExpiry
		switch last := *p.X509.ValidityMonths * daysPerMonth; {
		case (percentage == nil) == (days == nil):
			return badPolicy("The trigger of a lifetime action must have a lifetime_percentage or days_before_expiry.")
		case percentage != nil && (*percentage < 1 || *percentage > 99):
			return badPolicy("A lifetime_percentage must be from 1 to 99.")
		case days != nil && (*days < 1 || *days > last):
			return badPolicy("The days_before_expiry must be from 1 to %d, %d for each month of validity.", last, daysPerMonth)
		}
	}
	return nil
}
