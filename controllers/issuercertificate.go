package controllers

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/kube-imds/kube-imds/internal/pki/authority"
)

// IssuerCertificateReconciler signs the certificate requests of our own parts, and denies all others to the same signers.
type IssuerCertificateReconciler struct {
	Client client.Client

	// Rules are the rules by signer name.
	Rules map[string]IssuerCertificateRule

	// Sign signs a template and adds where the authority's certificate is.
	Sign func(context.Context, *x509.Certificate) (*x509.Certificate, error)
}

// SetupWithManager registers the reconciler.
func (r *IssuerCertificateReconciler) SetupWithManager(manager ctrl.Manager) error {
	err := ctrl.NewControllerManagedBy(manager).
		Named("issuercertificate").
		For(&certificatesv1.CertificateSigningRequest{}, builder.WithPredicates(predicate.NewPredicateFuncs(r.isOurs))).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the reconciler of certificates: %w", err)
	}
	return nil
}

// isOurs reports whether a request is to one of the signers.
func (r *IssuerCertificateReconciler) isOurs(object client.Object) bool {
	csr, ok := object.(*certificatesv1.CertificateSigningRequest)
	if !ok {
		return false
	}
	_, ours := r.Rules[csr.Spec.SignerName]
	return ours
}

// Reconcile decides about one request, and signs it once it is approved.
func (r *IssuerCertificateReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var csr certificatesv1.CertificateSigningRequest
	if err := r.Client.Get(ctx, request.NamespacedName, &csr); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	err := r.handle(ctx, &csr)
	if apierrors.IsConflict(err) {
		// The cache is behind: the watch brings the newer request.
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, err
}

func (r *IssuerCertificateReconciler) handle(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	if !r.isOurs(csr) || len(csr.Status.Certificate) > 0 || is(csr, certificatesv1.CertificateDenied) || is(csr, certificatesv1.CertificateFailed) {
		return nil
	}
	// Others may approve requests too, but what the rule refuses is never signed.
	template, refusal := r.Rules[csr.Spec.SignerName].Check(csr)
	if refusal != nil {
		return r.refuse(ctx, csr, refusal)
	}
	if err := r.approve(ctx, csr); err != nil {
		return err
	}
	return r.sign(ctx, csr, template)
}

func (r *IssuerCertificateReconciler) approve(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	if is(csr, certificatesv1.CertificateApproved) {
		return nil
	}
	return r.decide(ctx, csr, "approval", certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Reason: "OwnPart", Message: "a part of the installation asks for names that it may have",
	})
}

// refuse denies a request. An approved one cannot be denied, so it fails.
func (r *IssuerCertificateReconciler) refuse(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, refusal error) error {
	kind, subresource := certificatesv1.CertificateDenied, "approval"
	if is(csr, certificatesv1.CertificateApproved) {
		kind, subresource = certificatesv1.CertificateFailed, "status"
	}
	ctrl.LoggerFrom(ctx).Info("refused a certificate", "signer", csr.Spec.SignerName, "user", csr.Spec.Username, "why", refusal.Error())
	return r.decide(ctx, csr, subresource, certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Reason: "NotAllowed", Message: refusal.Error(),
	})
}

// decide adds a condition, unless the request has been decided in between.
func (r *IssuerCertificateReconciler) decide(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, subresource string, condition certificatesv1.CertificateSigningRequestCondition) error {
	condition.Status, condition.LastUpdateTime = corev1.ConditionTrue, metav1.Now()
	before := csr.DeepCopy()
	csr.Status.Conditions = append(csr.Status.Conditions, condition)
	if err := r.Client.SubResource(subresource).Patch(ctx, csr, unchanged(before)); err != nil {
		return fmt.Errorf("decide about the certificate %s: %w", csr.Name, err)
	}
	return nil
}

func (r *IssuerCertificateReconciler) sign(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, template *x509.Certificate) error {
	certificate, err := r.Sign(ctx, template)
	if errors.Is(err, authority.ErrNotPermitted) {
		return r.refuse(ctx, csr, err)
	}
	if err != nil {
		return fmt.Errorf("sign the certificate %s: %w", csr.Name, err)
	}
	before := csr.DeepCopy()
	csr.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	if err := r.Client.Status().Patch(ctx, csr, unchanged(before)); err != nil {
		return fmt.Errorf("hand out the certificate %s: %w", csr.Name, err)
	}
	ctrl.LoggerFrom(ctx).Info("signed a certificate", "signer", csr.Spec.SignerName, "node", nodeNameOf(csr), "expires", certificate.NotAfter)
	return nil
}

// unchanged returns a patch that conflicts with a request that was changed in between: what is decided stays decided, and a certificate is not
// replaced.
func unchanged(before *certificatesv1.CertificateSigningRequest) client.Patch {
	return client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
}

// is reports whether a request was approved, denied, or failed.
func is(csr *certificatesv1.CertificateSigningRequest, decision certificatesv1.RequestConditionType) bool {
	return slices.ContainsFunc(csr.Status.Conditions, func(condition certificatesv1.CertificateSigningRequestCondition) bool {
		return condition.Type == decision
	})
}

// parseRequest parses the PKCS #10 request and verifies that the requester holds the key.
func parseRequest(csr *certificatesv1.CertificateSigningRequest) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("spec.request is not one PEM block of a certificate request")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read spec.request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("check the signature of spec.request: %w", err)
	}
	return request, nil
}
