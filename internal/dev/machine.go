package dev

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/cluster/machine"
	"github.com/kube-imds/kube-imds/internal/dev/manifest"
	"github.com/kube-imds/kube-imds/internal/disruption"
	"github.com/kube-imds/kube-imds/internal/grant"
	"github.com/kube-imds/kube-imds/internal/identifier"
	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuer"
	"github.com/kube-imds/kube-imds/internal/issuer/mint"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/keyvault"
	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/resource/role"
	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
	"github.com/kube-imds/kube-imds/internal/token"
)

// virtualMachine is the emulated pod as IMDS describes it. It changes with the files, all at once.
type virtualMachine struct {
	pod      Pod
	ids      identifier.Defaults
	metadata machine.Defaults
	issuers  token.Issuers
	key      *signingKey
	started  time.Time
	taints   *disruption.TaintTimes
	log      *slog.Logger

	// keyVault serves the vaults of the files, if not nil.
	keyVault *vaults

	current atomic.Pointer[state]
}

// state is what one version of the files amounts to.
type state struct {
	pod       *corev1.Pod
	granted   grant.Grant
	issuer    *issuer.InProcess
	instance  *imds.Instance
	balancer  *imds.LoadBalancer
	events    *issuerapi.Events
	published *published.Published

	// vaults are those of the files by name.
	vaults      map[string]*keyvault.Vault
	assignments []role.Assignment
}

var (
	_ imds.TokenSource        = (*virtualMachine)(nil)
	_ imds.IdentitySource     = (*virtualMachine)(nil)
	_ imds.InstanceSource     = (*virtualMachine)(nil)
	_ imds.LoadBalancerSource = (*virtualMachine)(nil)
)

// load makes a version of the files current, or returns what is wrong with it and keeps the version before.
func (m *virtualMachine) load(ctx context.Context, objects *manifest.Manifest) error {
	if len(objects.Vaults) > 0 && m.keyVault == nil {
		return fmt.Errorf("KeyVault %q: vaults are served if their file is named with --key-vault", objects.Vaults[0].Name)
	}
	around, err := newCluster(objects, m.pod, m.ids, m.started)
	if err != nil {
		return err
	}
	granted, err := grant.Load(ctx, around, around.pod, "")
	if err != nil {
		return err
	}
	identities := grant.Among(around.identities...)
	assignments, withoutIdentity, err := assignmentsOf(objects, identities)
	if err != nil {
		return err
	}
	var vaults map[string]*keyvault.Vault
	if m.keyVault != nil {
		if vaults, err = m.keyVault.load(ctx, objects); err != nil {
			return err
		}
	}
	around.node.Spec.Taints = m.taints.Date(around.node.Spec.Taints)
	events := issuer.DescribeEvents(around.pod, around.node)
	instance := issuerclient.InstanceOf(issuer.DescribeInstance(around.pod, around.node, m.metadata))
	instance.Interfaces = []imds.Interface{interfaceOf(around.pod)}
	m.current.Store(&state{
		pod: around.pod, granted: granted, instance: instance, events: &events,
		balancer:  issuerclient.LoadBalancerOf(issuer.DescribeLoadBalancer(around.pod, around.services)),
		published: m.key.publish(around.identities), vaults: vaults, assignments: assignments,
		issuer: &issuer.InProcess{
			Grant: granted, Identities: identities, Log: logr.FromSlogHandler(m.log.Handler()),
			Minters: mint.Minters{v1alpha1.TokenSourceLocal: &mint.Local{
				Key: func() *token.Key { return m.key.key }, Machine: instance.ResourceID, Now: time.Now, Issuers: m.issuers,
			}},
		},
	})
	m.warn(granted)
	for _, one := range withoutIdentity {
		m.log.Warn("a RoleAssignment gives nobody a role: its identity is not in the files",
			"assignment", one.Name, "identity", one.Spec.Principal.Identity)
	}
	return nil
}

// warn logs what will be refused.
func (m *virtualMachine) warn(granted grant.Grant) {
	for _, refusal := range granted.Refusals {
		m.log.Warn("an identity is not granted", "identity", refusal.Identity, "reason", refusal.Reason, "message", refusal.Message)
	}
	if _, refusal := granted.Select(grant.Selector{}); refusal != nil && refusal.Identity == "" {
		m.log.Warn("requests that name no identity are refused", "reason", refusal.Reason, "message", refusal.Message)
	}
	for _, identity := range granted.Identities {
		if identity.Spec.TokenSource != v1alpha1.TokenSourceLocal {
			m.log.Warn("an identity has no tokens here: only Local ones are signed without a cluster",
				"identity", identity.Name, "tokenSource", identity.Spec.TokenSource)
		}
	}
}

// Token issues a token.
func (m *virtualMachine) Token(ctx context.Context, request imds.TokenRequest) (*imds.Token, error) {
	return m.current.Load().issuer.Token(ctx, request)
}

// Identity describes a granted identity.
func (m *virtualMachine) Identity(ctx context.Context, selector imds.Selector) (*imds.Identity, error) {
	return m.current.Load().issuer.Identity(ctx, selector)
}

// Instance describes the pod.
func (m *virtualMachine) Instance(context.Context) (*imds.Instance, error) {
	return m.current.Load().instance, nil
}

// LoadBalancer describes the Services that lead to the pod.
func (m *virtualMachine) LoadBalancer(context.Context) (*imds.LoadBalancer, error) {
	return m.current.Load().balancer, nil
}

// Events returns the disruptions of the pod.
func (m *virtualMachine) Events(context.Context) (*issuerapi.Events, error) {
	return m.current.Load().events, nil
}

// signingKey is the key that signs as long as the process runs.
type signingKey struct {
	key  *token.Key
	jwks []byte
}

func newSigningKey() (*signingKey, error) {
	private, err := token.GenerateKey()
	if err != nil {
		return nil, err
	}
	key, err := token.NewKey(private)
	if err != nil {
		return nil, err
	}
	document, err := token.JWKS([]*token.Key{key})
	if err != nil {
		return nil, err
	}
	return &signingKey{key, document}, nil
}

// publish returns the documents by which tokens of identities verify.
func (k *signingKey) publish(identities []*v1alpha1.ManagedIdentity) *published.Published {
	known := &published.Published{JWKS: k.jwks, KeyIDs: map[string]bool{k.key.ID: true}, Tenants: map[string]bool{}}
	for _, identity := range identities {
		known.Tenants[strings.ToLower(string(identity.Status.TenantID))] = true
	}
	return known
}
