package entra

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRegisterRefuses(t *testing.T) {
	t.Parallel()
	credentials := func(number int) []Credential {
		var made []Credential
		for n := range number {
			made = append(made, Credential{"https://issuer.example", fmt.Sprintf("subject %d", n), audience, time.Time{}})
		}
		return made
	}
	of := func(subject string) []Credential {
		return []Credential{{"https://issuer.example", subject, audience, time.Time{}}}
	}
	for name, test := range map[string]struct {
		identity Identity
		accepted bool
	}{
		"an application":               {Identity{TenantID: tenant, ClientID: orders}, true},
		"tenant is a word":             {Identity{TenantID: "tenant", ClientID: orders}, false},
		"client is a word":             {Identity{TenantID: tenant, ClientID: "orders"}, false},
		"20 credentials":               {Identity{TenantID: tenant, ClientID: orders, Credentials: credentials(20)}, true},
		"21 credentials":               {Identity{TenantID: tenant, ClientID: orders, Credentials: credentials(21)}, false},
		"two of the same":              {Identity{TenantID: tenant, ClientID: orders, Credentials: append(credentials(2), credentials(1)...)}, false},
		"two differ only by case":      {Identity{TenantID: tenant, ClientID: orders, Credentials: append(of("a"), of("A")...)}, true},
		"subject of 600 characters":    {Identity{TenantID: tenant, ClientID: orders, Credentials: of(strings.Repeat("x", 600))}, true},
		"subject of 601 characters":    {Identity{TenantID: tenant, ClientID: orders, Credentials: of(strings.Repeat("x", 601))}, false},
		"subject is missing":           {Identity{TenantID: tenant, ClientID: orders, Credentials: of("")}, false},
		"everything but GUIDs missing": {Identity{TenantID: tenant, ClientID: bills}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Server{Now: time.Now, table: newTable()}
			if err := s.Add(test.identity); (err == nil) != test.accepted {
				t.Errorf("got %v, accepted: %t", err, test.accepted)
			}
			defer func() {
				if panicked := recover() != nil; panicked == test.accepted {
					t.Errorf("Register panics: %t", panicked)
				}
			}()
			s.Register(test.identity)
		})
	}
}

func TestCredentialsTakeEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Propagation = time.Minute
	want := func(code int, changes ...func(*request)) {
		t.Helper()
		if got := w.ask(t, changes...); got.code() != code || (got.status == http.StatusOK) != (code == 0) {
			t.Errorf("got %d %s, want %d", got.status, got.raw, code)
		}
	}
	toBills := []func(*request){with("client_id", bills)}
	other := append(toBills, claiming("sub", "other"))
	bill := Identity{TenantID: tenant, ClientID: bills, Credentials: []Credential{w.credential("/cluster")}}

	want(0) // registered before
	w.Register(bill)
	want(70021, toBills...)
	w.clock.advance(59 * time.Second)
	want(70021, toBills...)
	w.clock.advance(time.Second)
	want(0, toBills...)

	// One that is added needs its own time; the first keeps working.
	second := w.credential("/cluster")
	second.Subject = "other"
	bill.Credentials = append(bill.Credentials, second)
	w.Register(bill)
	want(0, toBills...)
	want(70021, other...)
	w.clock.advance(time.Minute)
	want(0, other...)

	bill.Credentials = bill.Credentials[:1]
	w.Register(bill)
	want(700213, other...)
	w.Unregister(strings.ToUpper(bills))
	want(700016, toBills...)
}
