package issuer

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/token"
)

// registrationInterval is how often the keys are looked at without a reason.
const registrationInterval = 30 * time.Second

// Registrar registers the keys of a ring as SigningKeys of its node, and tells the ring which are published.
type Registrar struct {
	// Ring holds the keys.
	Ring *token.Ring

	// NodeName is the issuer's node.
	NodeName string

	// Reader reads from caches: the Node, and the SigningKeys of the node.
	Reader client.Reader

	// Writer registers.
	Writer client.Writer

	// Changes is told of every change in the caches.
	Changes *Changes

	// OnKeyChange is called when another key signs, or none.
	OnKeyChange func()

	Now func() time.Time
	Log logr.Logger

	signing string
}

// Start keeps the keys registered until the context ends.
func (r *Registrar) Start(ctx context.Context) error {
	ticker := time.NewTicker(registrationInterval)
	defer ticker.Stop()
	for {
		changed := r.Changes.Next()
		if err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error(err, "cannot register the signing key; trying again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-changed:
		}
	}
}

// NeedLeaderElection says that every issuer registers its own keys.
func (r *Registrar) NeedLeaderElection() bool { return false }

// Ready tells whether the issuer can sign.
func (r *Registrar) Ready() bool { return r.Ring.Signer(r.Now().Add(token.DefaultLifetime)) != nil }

func (r *Registrar) reconcile(ctx context.Context) error {
	var keys v1alpha1.SigningKeyList
	if err := r.Reader.List(ctx, &keys); err != nil {
		return fmt.Errorf("list the node's signing keys: %w", err)
	}
	published := map[string]bool{}
	for _, key := range keys.Items {
		published[key.Name] = key.DeletionTimestamp.IsZero() &&
			apimeta.IsStatusConditionTrue(key.Status.Conditions, v1alpha1.ConditionPublished)
	}
	r.Ring.Published(published)
	r.noteSigner()

	unpublished, err := r.Ring.Prepare()
	if err != nil {
		return err
	}
	for _, key := range unpublished {
		if _, registered := published[key.ID]; registered {
			continue
		}
		if err := r.register(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

func (r *Registrar) register(ctx context.Context, key *token.Key) error {
	node, err := (&Directory{Reader: r.Reader}).Node(ctx, r.NodeName)
	if err != nil {
		return err
	}
	err = r.Writer.Create(ctx, key.Registration(node.Name, string(node.UID)))
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("register signing key %s: %w", key.ID, err)
	}
	r.Log.Info("registered a signing key", "keyID", key.ID, "notAfter", key.NotAfter)
	return nil
}

// noteSigner says so when another key signs than before.
func (r *Registrar) noteSigner() {
	signing := ""
	if key := r.Ring.Signer(r.Now().Add(token.DefaultLifetime)); key != nil {
		signing = key.ID
	}
	if signing == r.signing {
		return
	}
	r.signing = signing
	r.OnKeyChange()
	if signing == "" {
		keyPublished.Set(0)
		r.Log.Info("no published key to sign with: token requests wait until one is")
		return
	}
	keyPublished.Set(1)
	r.Log.Info("signing with a published key", "keyID", signing)
}
