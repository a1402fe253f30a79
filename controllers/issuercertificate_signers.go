package controllers

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

// CertificateNames are those of an installation that certificates are asked for by.
type CertificateNames struct {
	// Username is the user name of a part's ServiceAccount, and ServiceNames are the DNS names of its Service. The parts are
	// issuer, signer and oidc.
	Username     func(part string) string
	ServiceNames func(part string) []string
}

// IssuerCertificateRules are the rules of all signers: those that sign what a part serves with, under the names of its
// Service, an issuer's under that of its node too, and the one that signs what the signer attests pods with.
func IssuerCertificateRules(names CertificateNames) map[string]IssuerCertificateRule {
	serving := func(part string) IssuerCertificateRule {
		ofService := func(name string) bool { return slices.Contains(names.ServiceNames(part), name) }
		return IssuerCertificateRule{
			Username:         names.Username(part),
			AllowsCommonName: ofService,
			AllowsDNSName:    ofService,
			CheckKey:         checkServingKey,
			Usages:           []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
		}
	}
	issuer := serving("issuer")
	issuer.NodeName = func(node string) string { return issuerapi.NodeHost(node, names.ServiceNames("issuer")[0]) }
	return map[string]IssuerCertificateRule{
		certificate.IssuerSigner: issuer,
		certificate.SignerSigner: serving("signer"),
		certificate.OIDCSigner:   serving("oidc"),
		certificate.AttestationSigner: {
			Username:         names.Username("signer"),
			AllowsCommonName: attested.IsDomain,
			AllowsDNSName:    attested.IsName,
			CheckKey:         checkAttestationKey,
			Usages:           []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth},
		},
	}
}

func checkServingKey(public any) error {
	if _, ok := public.(*ecdsa.PublicKey); ok || isStrongRSA(public) {
		return nil
	}
	return errors.New("its key must be an ECDSA key, or an RSA key of at least 2048 bits")
}

// checkAttestationKey takes RSA keys alone: who reads attested documents expects no other.
func checkAttestationKey(public any) error {
	if isStrongRSA(public) {
		return nil
	}
	return errors.New("its key must be an RSA key of at least 2048 bits")
}

func isStrongRSA(public any) bool {
	key, ok := public.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= 2048
}
