package controllers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// The user attributes in which the API server names the pod and the node that a token is bound to.
const (
	podNameAttribute  = "authentication.kubernetes.io/pod-name"
	nodeNameAttribute = "authentication.kubernetes.io/node-name"
)

// IssuerCertificateRule says which requests to a signer are signed: those of a part, made with its pod-bound token, for
// names that it may have (docs/design/parts.md, "Certificates").
type IssuerCertificateRule struct {
	// Username is the part's user name.
	Username string

	// AllowsCommonName reports whether a subject may have a common name.
	AllowsCommonName func(name string) bool

	// AllowsDNSName reports whether a certificate may have a DNS name.
	AllowsDNSName func(name string) bool

	// NodeName returns the DNS name of a node's own issuer, if certificates may have one. The node in the requester's token
	// decides which.
	NodeName func(node string) string

	// CheckKey returns an error for a public key that is not allowed.
	CheckKey func(public any) error

	// Usages are the extended usages. A request must ask for all of them.
	Usages []certificatesv1.KeyUsage
}

// extendedUsages maps usages to those of x509.
var extendedUsages = map[certificatesv1.KeyUsage]x509.ExtKeyUsage{
	certificatesv1.UsageServerAuth: x509.ExtKeyUsageServerAuth,
	certificatesv1.UsageClientAuth: x509.ExtKeyUsageClientAuth,
}

// Check returns the template of the certificate, or why there is none.
func (r IssuerCertificateRule) Check(csr *certificatesv1.CertificateSigningRequest) (*x509.Certificate, error) {
	if csr.Spec.Username != r.Username {
		return nil, fmt.Errorf("only %s may ask for it, not %s", r.Username, csr.Spec.Username)
	}
	if len(csr.Spec.Extra[podNameAttribute]) != 1 || len(csr.Spec.Extra[nodeNameAttribute]) != 1 {
		return nil, errors.New("the token that it was asked with is not bound to a pod on a node")
	}
	request, err := parseRequest(csr)
	if err != nil {
		return nil, err
	}
	return r.template(csr, request)
}

func (r IssuerCertificateRule) template(csr *certificatesv1.CertificateSigningRequest, request *x509.CertificateRequest) (*x509.Certificate, error) {
	if len(request.DNSNames) == 0 || len(request.IPAddresses)+len(request.URIs)+len(request.EmailAddresses) > 0 {
		return nil, errors.New("it must be for DNS names, and for nothing else")
	}
	if err := r.checkNames(request, nodeNameOf(csr)); err != nil {
		return nil, err
	}
	usage, extended, err := r.usages(csr.Spec.Usages)
	if err != nil {
		return nil, err
	}
	if err := r.CheckKey(request.PublicKey); err != nil {
		return nil, err
	}
	// Only the common name of the subject was checked.
	return &x509.Certificate{
		PublicKey: request.PublicKey, Subject: pkix.Name{CommonName: request.Subject.CommonName}, DNSNames: request.DNSNames,
		KeyUsage: usage, ExtKeyUsage: extended,
	}, nil
}

func (r IssuerCertificateRule) checkNames(request *x509.CertificateRequest, node string) error {
	wrong := func(name string) error {
		return fmt.Errorf("it must be for names that the part may have, not %q", name)
	}
	if !r.AllowsCommonName(request.Subject.CommonName) {
		return wrong(request.Subject.CommonName)
	}
	own := ""
	if r.NodeName != nil {
		own = r.NodeName(node)
	}
	for _, name := range request.DNSNames {
		if name != own && !r.AllowsDNSName(name) {
			return wrong(name)
		}
	}
	if own != "" && !slices.Contains(request.DNSNames, own) {
		return fmt.Errorf("it must be for %q too, which is its node's", own)
	}
	return nil
}

// usages returns the usages of the certificate, if exactly the allowed ones were requested.
func (r IssuerCertificateRule) usages(asked []certificatesv1.KeyUsage) (x509.KeyUsage, []x509.ExtKeyUsage, error) {
	usage := x509.KeyUsageDigitalSignature
	for _, one := range asked {
		switch {
		case one == certificatesv1.UsageDigitalSignature || slices.Contains(r.Usages, one):
		case one == certificatesv1.UsageKeyEncipherment:
			usage |= x509.KeyUsageKeyEncipherment
		default:
			return 0, nil, fmt.Errorf("it must be for %q, not for %q", r.Usages, one)
		}
	}
	var extended []x509.ExtKeyUsage
	for _, one := range r.Usages {
		if !slices.Contains(asked, one) {
			return 0, nil, fmt.Errorf("it must be for %q", one)
		}
		extended = append(extended, extendedUsages[one])
	}
	return usage, extended, nil
}

func nodeNameOf(csr *certificatesv1.CertificateSigningRequest) string {
	if names := csr.Spec.Extra[nodeNameAttribute]; len(names) > 0 {
		return names[0]
	}
	return ""
}
