package controllers

import (
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/certificate"
)

// IssuerCertificateRules are the rules of the issuers' two signers: the one that signs what they serve with, under the
// names of their Service, and the one that signs what they attest pods with, whose certificates say where their
// authority's is.
func IssuerCertificateRules(username string, serviceNames []string, authorityURL string) map[string]IssuerCertificateRule {
	return map[string]IssuerCertificateRule{
		certificate.IssuerSigner: {
			Username: username,
			Allows:   func(name string) bool { return slices.Contains(serviceNames, name) },
			Usages:   []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
		},
		certificate.AttestationSigner: {
			Username:              username,
			Allows:                attests,
			Usages:                []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth},
			IssuingCertificateURL: authorityURL,
		},
	}
}

// attests tells whether a name is one that machines are attested with: a cloud's, or a location's in it.
func attests(name string) bool {
	if attested.IsDomain(name) {
		return true
	}
	location, domain, _ := strings.Cut(name, ".")
	return location != "" && attested.IsDomain(domain)
}
