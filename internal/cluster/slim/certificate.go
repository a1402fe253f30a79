package slim

import (
	certificatesv1 "k8s.io/api/certificates/v1"
)

// maxRequest bounds a certificate request that is kept, in bytes. One of an RSA key of 4096 bits has 2 KB.
const maxRequest = 8 << 10

// CertificateSigningRequest makes a transform that keeps requests to some signers, without the certificates: that there is one is
// kept. Of requests to others, and of those that are too large, what was asked for is not kept.
func CertificateSigningRequest(signers ...string) func(any) (any, error) {
	ours := map[string]bool{}
	for _, signer := range signers {
		ours[signer] = true
	}
	return func(object any) (any, error) {
		csr, ok := object.(*certificatesv1.CertificateSigningRequest)
		if !ok {
			return object, nil
		}
		if !ours[csr.Spec.SignerName] {
			csr.Spec = certificatesv1.CertificateSigningRequestSpec{SignerName: csr.Spec.SignerName}
			csr.Status = certificatesv1.CertificateSigningRequestStatus{}
			return Bare(csr)
		}
		if len(csr.Spec.Request) > maxRequest {
			csr.Spec.Request = nil
		}
		if len(csr.Status.Certificate) > 0 {
			csr.Status.Certificate = signed
		}
		return Bare(csr)
	}
}

// signed stands for a certificate that was signed.
var signed = []byte("signed")
