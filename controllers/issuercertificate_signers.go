package controllers

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/kube-imds/kube-imds/internal/attested"
	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/pki/certificate"
)

// IssuerCertificateRules returns the rules of all signers: those of the parts' serving certificates with the names of their
// Services and, for an issuer, its node's, and for the servers of vaults and storage accounts their public hosts; and that of the certificate
// that attests pods.
func IssuerCertificateRules(names install.Names, isPublicHost func(kind *azurehost.Kind, host string) bool) map[string]IssuerCertificateRule {
	serving := func(part install.Part, isOurs func(string) bool) IssuerCertificateRule {
		return IssuerCertificateRule{
			Username:         names.Username(part),
			AllowsCommonName: isOurs,
			AllowsDNSName:    isOurs,
			CheckKey:         checkServingKey,
			Usages:           []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth},
		}
	}
	ofService := func(part install.Part) IssuerCertificateRule { return serving(part, isOneOf(names.Services(part))) }
	ofResources := func(kind *azurehost.Kind, own []string) IssuerCertificateRule {
		return serving(kind.Part, func(name string) bool { return slices.Contains(own, name) || isPublicHost(kind, name) })
	}
	issuer := ofService(install.Issuer)
	issuer.NodeName = func(node string) string { return issuerapi.NodeHost(node, names.Services(install.Issuer)[0]) }
	return map[string]IssuerCertificateRule{
		certificate.IssuerSigner:   issuer,
		certificate.SignerSigner:   ofService(install.Signer),
		certificate.OIDCSigner:     ofService(install.OIDC),
		certificate.KeyVaultSigner: ofResources(azurehost.KeyVaults, names.Vaults()),
		certificate.StorageSigner:  ofResources(azurehost.StorageAccounts, names.StorageAccounts()),
		certificate.AttestationSigner: {
			Username:         names.Username(install.Signer),
			AllowsCommonName: attested.IsDomain,
			AllowsDNSName:    attested.IsName,
			CheckKey:         checkAttestationKey,
			Usages:           []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth},
		},
	}
}

func isOneOf(names []string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

func checkServingKey(public any) error {
	if _, ok := public.(*ecdsa.PublicKey); ok || isStrongRSA(public) {
		return nil
	}
	return errors.New("its key must be an ECDSA key, or an RSA key of at least 2048 bits")
}

// checkAttestationKey allows RSA keys only, because readers of attested documents expect them.
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
