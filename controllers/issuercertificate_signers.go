package controllers

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/certificate"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// IssuerCertificateRules are the rules of the issuers' two signers: the one that signs what they serve with, under the
// names of their Service, the first of which their node's own begins, and the one that signs what they attest pods with, whose certificates say where their
// authority's is.
func IssuerCertificateRules(username string, serviceNames []string, authorityURL string) map[string]IssuerCertificateRule {
	ofService := func(name string) bool { return slices.Contains(serviceNames, name) }
	return map[string]IssuerCertificateRule{
		certificate.IssuerSigner: {
			Username:         username,
			AllowsCommonName: ofService,
			AllowsDNSName:    ofService,
			NodeName:         func(node string) string { return issuerapi.NodeHost(node, serviceNames[0]) },
			CheckKey:         checkServingKey,
			Usages:           []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
		},
		certificate.AttestationSigner: {
			Username:              username,
			AllowsCommonName:      attested.IsDomain,
			AllowsDNSName:         attested.IsName,
			CheckKey:              checkAttestationKey,
			Usages:                []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth},
			IssuingCertificateURL: authorityURL,
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
