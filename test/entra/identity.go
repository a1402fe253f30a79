package entra

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Identity is a managed identity, or an application. Its tenant exists because the identity names it.
type Identity struct {
	// TenantID and ClientID are GUIDs, in any case.
	TenantID, ClientID string

	// ObjectID is the principal.
	ObjectID string

	// ResourceID is the ID in Azure Resource Manager; an application has none.
	ResourceID string

	Credentials []Credential
}

// Credential is a federated credential.
type Credential struct {
	Issuer, Subject, Audience string

	// From is when it takes effect. Zero means when Server.Propagation has passed since it was registered first.
	From time.Time
}

const (
	// maxCredentials is how many federated credentials an identity can have, and maxField how long their fields can be.
	maxCredentials = 20
	maxField       = 600

	maxIdentities = 10_000
)

// Register adds or replaces an identity, and panics if Add fails.
func (s *Server) Register(identity Identity) {
	if err := s.Add(identity); err != nil {
		panic(err)
	}
}

// Add adds or replaces identities, until it comes to one that Entra would not take.
func (s *Server) Add(identities ...Identity) error {
	for _, identity := range identities {
		if err := identity.check(); err != nil {
			return fmt.Errorf("register the identity %s: %w", identity.ClientID, err)
		}
		identity.TenantID, identity.ClientID = strings.ToLower(identity.TenantID), strings.ToLower(identity.ClientID)
		identity.Credentials = slices.Clone(identity.Credentials)
		if err := s.table.put(identity, s.Now().Add(s.Propagation)); err != nil {
			return err
		}
	}
	return nil
}

// Unregister removes an identity.
func (s *Server) Unregister(clientID string) {
	s.table.mu.Lock()
	defer s.table.mu.Unlock()
	delete(s.table.identities, strings.ToLower(clientID))
}

func (i Identity) check() error {
	if uuid.Validate(i.TenantID) != nil || uuid.Validate(i.ClientID) != nil {
		return errors.New("the tenant ID and the client ID must be GUIDs")
	}
	if len(i.Credentials) > maxCredentials {
		return fmt.Errorf("it has %d federated credentials, and may have %d", len(i.Credentials), maxCredentials)
	}
	seen := map[[2]string]bool{}
	for _, one := range i.Credentials {
		for _, field := range []string{one.Issuer, one.Subject, one.Audience} {
			if field == "" || len(field) > maxField {
				return fmt.Errorf("issuer, subject and audience of a federated credential must have 1 to %d characters", maxField)
			}
		}
		if seen[one.pair()] {
			return errors.New("two federated credentials have the same issuer and subject")
		}
		seen[one.pair()] = true
	}
	return nil
}

// pair is what an identity's credentials must differ in.
func (c Credential) pair() [2]string { return [2]string{c.Issuer, c.Subject} }

// same reports whether two credentials differ in nothing but their times.
func (c Credential) same(other Credential) bool {
	return c.pair() == other.pair() && c.Audience == other.Audience
}

// table has the identities by client ID.
type table struct {
	mu         sync.Mutex
	identities map[string]Identity
}

func newTable() table { return table{identities: map[string]Identity{}} }

// put adds or replaces an identity. Credentials that it had already keep the time when they take effect.
func (t *table) put(identity Identity, from time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, exists := t.identities[identity.ClientID]
	if !exists && len(t.identities) >= maxIdentities {
		return fmt.Errorf("there are %d identities already", maxIdentities)
	}
	for n, one := range identity.Credentials {
		if !one.From.IsZero() {
			continue
		}
		identity.Credentials[n].From = from
		if known := slices.IndexFunc(before.Credentials, one.same); known >= 0 {
			identity.Credentials[n].From = before.Credentials[known].From
		}
	}
	t.identities[identity.ClientID] = identity
	return nil
}

// find returns an identity by client ID, or false if the tenant has none.
func (t *table) find(tenant, client string) (Identity, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	identity, found := t.identities[strings.ToLower(client)]
	return identity, found && identity.TenantID == strings.ToLower(tenant)
}

func (t *table) hasTenant(tenant string) bool {
	for _, one := range t.all() {
		if one.TenantID == strings.ToLower(tenant) {
			return true
		}
	}
	return false
}

func (t *table) all() []Identity {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.identities))
}
