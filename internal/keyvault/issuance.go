package keyvault

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/kube-imds/kube-imds/internal/keyvault/certificate"
	"github.com/kube-imds/kube-imds/internal/keyvault/jwk"
	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// pendingCertificate is the detail of an object whose certificate is being made, or was made last. Its value is the private key.
type pendingCertificate struct {
	Status    string              `json:"status"`
	Request   []byte              `json:"csr,omitempty"`
	RequestID string              `json:"requestId"`
	Target    string              `json:"target,omitempty"`
	Cancelled bool                `json:"cancelled,omitempty"`
	Policy    *certificate.Policy `json:"policy"`
	Settings  settings            `json:"settings"`
}

// The statuses of a certificate that is being made.
const (
	inProgress = "inProgress"
	completed  = "completed"
	cancelled  = "cancelled"
)

// certificateOperation is an answer about a certificate that is being made.
type certificateOperation struct {
	ID        string              `json:"id"`
	Issuer    *certificate.Issuer `json:"issuer"`
	CSR       []byte              `json:"csr"`
	Cancelled bool                `json:"cancellation_requested"`
	Status    string              `json:"status"`
	Details   string              `json:"status_details,omitempty"`
	Target    string              `json:"target,omitempty"`
	RequestID string              `json:"request_id"`
}

// create makes a certificate by a policy: its own key signs it at once, or the answer has a request for an authority of the caller's.
func (k *certificates) create(x *exchange) (int, any, error) {
	asked, err := readCertificate(x.request)
	if err != nil {
		return 0, nil, err
	}
	policy, previous, err := k.newPolicy(x, asked.Policy)
	if err != nil {
		return 0, nil, err
	}
	key, err := k.nextKey(x.request.Context(), x.vault.UID, policy, previous)
	if err != nil {
		return 0, nil, err
	}
	made := &pendingCertificate{Status: inProgress, RequestID: uuid.NewString(), Policy: policy, Settings: asked.settings}
	if made.Request, err = policy.Request(key); err != nil {
		return 0, nil, err
	}
	// The answer is as Azure's even if nothing remains to be done: without anything to wait for, the SDK for Python has no result.
	begun := k.operation(x, made)
	if policy.Issuer.Name == certificate.Self {
		pair, err := policy.SelfSigned(key, k.Now())
		if err != nil {
			return 0, nil, err
		}
		if _, err := k.keep(x, pair, policy, &asked.settings); err != nil {
			return 0, nil, err
		}
		made.Status, made.Target = completed, x.vault.url(k.plural, x.name)
	}
	if err := k.keepPending(x, made, key); err != nil {
		return 0, nil, err
	}
	x.header.Set("Location", begun.ID+"?api-version="+x.request.URL.Query().Get("api-version")+"&request_id="+made.RequestID)
	x.header.Set("Retry-After", made.retryAfter())
	return http.StatusAccepted, begun, nil
}

// retryAfter says when to ask for a certificate, in seconds. Without it, the SDK for Rust asks after half a minute.
func (p *pendingCertificate) retryAfter() string {
	if p.Status == completed {
		return "0"
	}
	return "10"
}

// newPolicy returns the policy of the next version and the object with the previous one, if there is one: what a request does not say is as
// it was before.
func (k *certificates) newPolicy(x *exchange, asked *certificate.Policy) (*certificate.Policy, *store.Object, error) {
	if err := k.refuseTaken(x); err != nil {
		return nil, nil, err
	}
	object, err := k.store.Get(x.request.Context(), x.vault.UID, x.name)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case object != nil && object.Deleted != nil:
		return nil, nil, k.isDeleted(x.name)
	case object == nil && asked == nil:
		return nil, nil, badParameter("Required parameter 'policy' is missing in the request.")
	case asked == nil:
		if asked, err = decodePolicy(object); err != nil {
			return nil, nil, err
		}
	}
	asked.SetDefaults()
	return asked, object, asked.Validate()
}

// nextKey returns the key of the next version.
func (k *certificates) nextKey(ctx context.Context, vault string, policy *certificate.Policy, previous *store.Object) (crypto.Signer, error) {
	var key crypto.Signer
	if previous != nil {
		value, err := found{previous, previous.Current(), k.kind}.value(ctx, vault)
		if err != nil {
			return nil, err
		}
		pair, err := decodePair(value)
		if err != nil {
			return nil, err
		}
		key = pair.Key
	}
	return heavy(ctx, func() (crypto.Signer, error) { return policy.NextKey(key) })
}

// merge completes a certificate with what an authority answered to its request.
func (k *certificates) merge(x *exchange) (int, any, error) {
	asked, err := readCertificate(x.request)
	if err != nil {
		return 0, nil, err
	}
	made, key, err := k.findPending(x)
	if err != nil {
		return 0, nil, err
	}
	if made.Status != inProgress {
		return 0, nil, badParameter("The pending certificate is %s: there is nothing to merge.", made.Status)
	}
	pair, err := certificate.Merge(key, asked.Chain)
	if err != nil {
		return 0, nil, err
	}
	settings := &made.Settings
	if asked.Tags != nil || asked.Attributes.Enabled != nil {
		settings = &asked.settings
	}
	object, err := k.keep(x, pair, made.Policy, settings)
	if err != nil {
		return 0, nil, err
	}
	made.Status, made.Target = completed, x.vault.url(k.plural, x.name)
	if err := k.changePending(x, made); err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, k.render(x, found{object, object.Current(), k.kind}, whole), nil
}

func (k *certificates) readPending(x *exchange) (int, any, error) {
	made, _, err := k.findPending(x)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.operation(x, made), nil
}

// cancelPending gives up a certificate that is being made.
func (k *certificates) cancelPending(x *exchange) (int, any, error) {
	var asked struct {
		Cancel bool `json:"cancellation_requested"`
	}
	if err := readBody(x.request, maxBody, &asked); err != nil {
		return 0, nil, err
	}
	made, _, err := k.findPending(x)
	if err != nil {
		return 0, nil, err
	}
	if !asked.Cancel || made.Status != inProgress {
		return 0, nil, forbidden("CertificateOperationNotCancellable", "The pending certificate is "+made.Status+": it cannot be cancelled.")
	}
	made.Cancelled, made.Status = true, cancelled
	if err := k.changePending(x, made); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.operation(x, made), nil
}

// deletePending forgets what is being made, or was made last.
func (k *certificates) deletePending(x *exchange) (int, any, error) {
	made, _, err := k.findPending(x)
	if err != nil {
		return 0, nil, err
	}
	if err := k.pending.Remove(x.request.Context(), x.vault.UID, x.name); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, k.operation(x, made), nil
}

func (k *certificates) operation(x *exchange, made *pendingCertificate) *certificateOperation {
	answer := &certificateOperation{
		ID: x.vault.url(k.plural, x.name) + "/pending", Issuer: &made.Policy.Issuer, CSR: made.Request, Cancelled: made.Cancelled,
		Status: made.Status, Target: made.Target, RequestID: made.RequestID,
	}
	if made.Status == inProgress {
		answer.Details = "Pending certificate created. " + remaining(made.Policy)
	}
	return answer
}

// remaining says what must happen until a certificate is there.
func remaining(policy *certificate.Policy) string {
	if policy.Issuer.Name == certificate.Self {
		return "Certificate request is in progress. This may take some time based on the issuer provider. Please check again later."
	}
	return "Please Perform Merge to complete the request."
}

// keepPending keeps what is being made with its private key, in place of what was before.
func (k *certificates) keepPending(x *exchange, made *pendingCertificate, key crypto.Signer) error {
	private, err := jwk.New(key)
	if err != nil {
		return err
	}
	value, err := private.Marshal()
	if err != nil {
		return err
	}
	version := k.newVersion()
	if err := k.pending.PutValue(x.request.Context(), x.vault.UID, x.name, version.ID, value); err != nil {
		return err
	}
	return k.changeDetail(x, made, func(object *store.Object) { object.Versions = []store.Version{version} })
}

func (k *certificates) changePending(x *exchange, made *pendingCertificate) error {
	return k.changeDetail(x, made, func(*store.Object) {})
}

func (k *certificates) changeDetail(x *exchange, made *pendingCertificate, edit func(*store.Object)) error {
	detail, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("render a pending certificate: %w", err)
	}
	_, err = k.pending.Change(x.request.Context(), x.vault.UID, x.name, func(object *store.Object) error {
		object.Detail = detail
		edit(object)
		return nil
	})
	return err
}

// findPending returns what is being made, or was made last, and its private key.
func (k *certificates) findPending(x *exchange) (*pendingCertificate, crypto.Signer, error) {
	object, err := k.pending.Get(x.request.Context(), x.vault.UID, x.name)
	if err != nil {
		return nil, nil, err
	}
	if object == nil {
		return nil, nil, &Failure{Status: http.StatusNotFound, Code: "PendingCertificateNotFound", Message: "Pending certificate not found: " + x.name}
	}
	var made pendingCertificate
	if err := json.Unmarshal(object.Detail, &made); err != nil {
		return nil, nil, fmt.Errorf("parse a pending certificate: %w", err)
	}
	private, err := k.pending.Value(x.request.Context(), x.vault.UID, x.name, object.Current().ID)
	if err != nil {
		return nil, nil, err
	}
	key, err := jwk.Parse(private)
	if err != nil {
		return nil, nil, err
	}
	return &made, key.Private(), nil
}
