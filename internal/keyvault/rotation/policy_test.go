package rotation

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"github.com/kube-imds/kube-imds/internal/keyvault/refusal"
)

// policyOf returns the JSON of a policy with actions, and an expiryTime if there is one.
func policyOf(expiry string, actions ...string) string {
	attributes := "{}"
	if expiry != "" {
		attributes = `{"expiryTime":"` + expiry + `"}`
	}
	return `{"lifetimeActions":[` + strings.Join(actions, ",") + `],"attributes":` + attributes + `}`
}

func actionOf(action, trigger, duration string) string {
	return `{"trigger":{"` + trigger + `":"` + duration + `"},"action":{"type":"` + action + `"}}`
}

const notify30 = `{"trigger":{"timeBeforeExpiry":"P30D"},"action":{"type":"Notify"}}`

func TestParse(t *testing.T) {
	t.Parallel()
	afterCreate, beforeExpiry := "timeAfterCreate", "timeBeforeExpiry"
	for name, test := range map[string]struct{ document, want string }{
		"nothing":                    {`{}`, policyOf("", notify30)},
		"nulls":                      {`{"lifetimeActions":null,"attributes":null}`, policyOf("", notify30)},
		"no actions":                 {policyOf("P90D"), policyOf("P90D", notify30)},
		"both":                       {policyOf("P2Y", actionOf("Rotate", afterCreate, "P18M"), notify30), policyOf("P2Y", actionOf("Rotate", afterCreate, "P18M"), notify30)},
		"Notify is added":            {policyOf("", actionOf("Rotate", afterCreate, "P18M")), policyOf("", actionOf("Rotate", afterCreate, "P18M"), notify30)},
		"actions in any case":        {policyOf("P90D", actionOf("rotate", beforeExpiry, "P30D"), actionOf("NOTIFY", beforeExpiry, "P7D")), policyOf("P90D", actionOf("Rotate", beforeExpiry, "P30D"), actionOf("Notify", beforeExpiry, "P7D"))},
		"the other trigger is null":  {`{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P1Y","timeBeforeExpiry":null},"action":{"type":"Rotate"}}]}`, policyOf("", actionOf("Rotate", afterCreate, "P1Y"), notify30)},
		"the shortest life":          {policyOf("P28D", actionOf("Rotate", afterCreate, "P21D")), policyOf("P28D", actionOf("Rotate", afterCreate, "P21D"), notify30)},
		"as hours":                   {policyOf("PT672H"), policyOf("PT672H", notify30)},
		"the earliest rotation":      {policyOf("P28D", actionOf("Rotate", afterCreate, "P7D")), policyOf("P28D", actionOf("Rotate", afterCreate, "P7D"), notify30)},
		"the latest before expiry":   {policyOf("P28D", actionOf("Rotate", beforeExpiry, "P7D")), policyOf("P28D", actionOf("Rotate", beforeExpiry, "P7D"), notify30)},
		"the earliest before expiry": {policyOf("P28D", actionOf("Rotate", beforeExpiry, "P21D")), policyOf("P28D", actionOf("Rotate", beforeExpiry, "P21D"), notify30)},
		"told longer than it lives":  {policyOf("P28D", notify30), policyOf("P28D", notify30)},
		"what only the vault says":   {`{"id":"https://v/keys/k/rotationpolicy","lifetimeActions":[],"attributes":{"expiryTime":"P90D","created":1,"updated":2}}`, policyOf("P90D", notify30)},
	} {
		policy, err := Parse([]byte(test.document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if written, err := json.Marshal(policy); err != nil || string(written) != test.want {
			t.Errorf("%s:\n got %s\nwant %s, error %v", name, written, test.want, err)
		}
		again, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Errorf("%s: what is answered is refused: %v", name, err)
		}
	}
}

// Azure's SDK reads what is written, and what it writes is read.
func TestPolicyIsThatOfTheSDK(t *testing.T) {
	t.Parallel()
	policy, err := Parse([]byte(policyOf("P2Y", actionOf("Rotate", "timeAfterCreate", "P18M"), notify30)))
	if err != nil {
		t.Fatal(err)
	}
	policy.ID, policy.Attributes.Created, policy.Attributes.Updated = "https://v/keys/k/rotationpolicy", 1000, 2000
	written, err := json.Marshal(policy)
	if err != nil {
		t.Fatal(err)
	}
	var read azkeys.KeyRotationPolicy
	if err := json.Unmarshal(written, &read); err != nil {
		t.Fatal(err)
	}
	if *read.ID != policy.ID || *read.Attributes.ExpiryTime != "P2Y" || read.Attributes.Created.Unix() != 1000 || read.Attributes.Updated.Unix() != 2000 ||
		len(read.LifetimeActions) != 2 || *read.LifetimeActions[0].Action.Type != azkeys.KeyRotationPolicyActionRotate || *read.LifetimeActions[0].Trigger.TimeAfterCreate != "P18M" ||
		*read.LifetimeActions[1].Action.Type != azkeys.KeyRotationPolicyActionNotify || *read.LifetimeActions[1].Trigger.TimeBeforeExpiry != "P30D" {
		t.Errorf("the SDK reads %s otherwise", written)
	}
	sent, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(sent)
	if err != nil {
		t.Fatal(err)
	}
	policy.ID, policy.Attributes.Created, policy.Attributes.Updated = "", 0, 0
	got, _ := json.Marshal(back)
	if want, _ := json.Marshal(policy); string(got) != string(want) {
		t.Errorf("of the SDK's %s, %s is read", sent, got)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	afterCreate, beforeExpiry := "timeAfterCreate", "timeBeforeExpiry"
	for name, test := range map[string]struct{ document, part string }{
		"nothing":                       {``, "not the JSON object"},
		"an array":                      {`[]`, "not the JSON object"},
		"actions of another form":       {`{"lifetimeActions":{}}`, "not the JSON object"},
		"too long":                      {`{"id":"` + strings.Repeat("x", maxPolicy) + `"}`, "longer than 16384 bytes"},
		"a malformed expiryTime":        {policyOf("90D"), `"90D" is not a duration`},
		"an empty expiryTime":           {`{"attributes":{"expiryTime":""}}`, `"" is not a duration`},
		"a malformed trigger":           {policyOf("", actionOf("Rotate", afterCreate, "P90")), `"P90" is not a duration`},
		"a short life":                  {policyOf("P27D"), "The expiryTime P27D is shorter than 28 days"},
		"a life in hours":               {policyOf("PT48H"), "shorter than 28 days"},
		"an unknown action":             {policyOf("", actionOf("Delete", afterCreate, "P90D")), `"Delete" is neither`},
		"a long action":                 {policyOf("", actionOf(strings.Repeat("x", 1000), afterCreate, "P90D")), strings.Repeat("x", 64) + `" is neither`},
		"no action":                     {`{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P90D"}}]}`, `"" is neither`},
		"rotating twice":                {policyOf("", actionOf("Rotate", afterCreate, "P90D"), actionOf("rotate", afterCreate, "P60D")), "more than one action Rotate"},
		"telling twice":                 {policyOf("", notify30, notify30), "more than one action Notify"},
		"no trigger":                    {`{"lifetimeActions":[{"action":{"type":"Rotate"}}]}`, "either timeAfterCreate or timeBeforeExpiry"},
		"both triggers":                 {policyOf("P2Y", `{"trigger":{"timeAfterCreate":"P90D","timeBeforeExpiry":"P90D"},"action":{"type":"Rotate"}}`), "either timeAfterCreate or timeBeforeExpiry"},
		"telling after creation":        {policyOf("", actionOf("Notify", afterCreate, "P30D")), "Notify must have timeBeforeExpiry"},
		"rotating too early":            {policyOf("", actionOf("Rotate", afterCreate, "P6D")), "Rotate is P6D: it must be at least 7 days"},
		"rotating too late":             {policyOf("P90D", actionOf("Rotate", beforeExpiry, "P6D")), "at least 7 days"},
		"telling too late":              {policyOf("P90D", actionOf("Notify", beforeExpiry, "PT167H")), "Notify is PT167H: it must be at least 7 days"},
		"rotating without an expiry":    {policyOf("", actionOf("Rotate", beforeExpiry, "P30D")), "requires an expiryTime"},
		"rotating near the expiry":      {policyOf("P90D", actionOf("Rotate", afterCreate, "P84D")), "at least 7 days shorter than the expiryTime, which is P90D"},
		"rotating after the expiry":     {policyOf("P90D", actionOf("Rotate", afterCreate, "P1Y")), "shorter than the expiryTime"},
		"rotating at the beginning":     {policyOf("P90D", actionOf("Rotate", beforeExpiry, "P84D")), "shorter than the expiryTime"},
		"rotating before the beginning": {policyOf("P90D", actionOf("Rotate", beforeExpiry, "P4M")), "shorter than the expiryTime"},
	} {
		policy, err := Parse([]byte(test.document))
		refused, ok := errors.AsType[*refusal.Error](err)
		if !ok || policy != nil || !strings.Contains(refused.Message, test.part) || len(refused.Message) > 300 {
			t.Errorf("%s: got %+v, error %.400v, want %q", name, policy, err, test.part)
		}
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	created, expires := at(t, "2026-01-31T12:00:00Z"), at(t, "2026-12-31T12:00:00Z")
	for name, test := range map[string]struct {
		policy         *Policy
		expires        *time.Time
		expiry         string
		rotate, notify string
	}{
		"by default":                     {Default(), &expires, "", "", "2026-12-01T12:00:00Z"},
		"by default, without an end":     {Default(), nil, "", "", ""},
		"after creation":                 {read(t, policyOf("P2Y", actionOf("Rotate", "timeAfterCreate", "P18M"))), &expires, "2028-01-31T12:00:00Z", "2027-07-31T12:00:00Z", "2026-12-01T12:00:00Z"},
		"after creation, without an end": {read(t, policyOf("", actionOf("Rotate", "timeAfterCreate", "P1M"))), nil, "", "2026-02-28T12:00:00Z", ""},
		"before expiry":                  {read(t, policyOf("P90D", actionOf("Rotate", "timeBeforeExpiry", "P30D"), actionOf("Notify", "timeBeforeExpiry", "P60D"))), &expires, "2026-05-01T12:00:00Z", "2026-12-01T12:00:00Z", "2026-11-01T12:00:00Z"},
		// A key that was made before its policy has no end, until somebody sets one or rotates it.
		"before expiry, without an end": {read(t, policyOf("P90D", actionOf("Rotate", "timeBeforeExpiry", "P30D"))), nil, "2026-05-01T12:00:00Z", "", ""},
	} {
		rotate, rotates := test.policy.Due(Rotate, created, test.expires)
		checkTime(t, name+", rotate", rotate, rotates, test.rotate)
		notify, notifies := test.policy.Due(Notify, created, test.expires)
		checkTime(t, name+", notify", notify, notifies, test.notify)
		expiry, ends := test.policy.Expiry(created)
		checkTime(t, name+", expiry", expiry, ends, test.expiry)
	}
}

func read(t *testing.T, document string) *Policy {
	t.Helper()
	policy, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// checkTime compares a time with a text, which is "" for none.
func checkTime(t *testing.T, name string, got time.Time, ok bool, want string) {
	t.Helper()
	if ok != (want != "") || ok && !got.Equal(at(t, want)) {
		t.Errorf("%s: got %s, %v, want %q", name, got, ok, want)
	}
}

// The default is written as what Azure answers for a key without a policy, and is a policy that can be set.
func TestDefault(t *testing.T) {
	t.Parallel()
	written, err := json.Marshal(Default())
	if err != nil || string(written) != policyOf("", notify30) {
		t.Errorf("got %s, error %v", written, err)
	}
	if *Default().Actions[0].Trigger.BeforeExpiry != parsed(t, "P30D") {
		t.Error("P30D is not thirty days")
	}
}

// Whatever somebody sends, it is refused, or it is a policy that is read again as the same one.
func FuzzParse(f *testing.F) {
	f.Add([]byte(policyOf("P2Y", actionOf("Rotate", "timeAfterCreate", "P18M"), notify30)))
	f.Add([]byte(policyOf("P90D", actionOf("rotate", "timeBeforeExpiry", "P30D"))))
	f.Add([]byte(`{"lifetimeActions":[null]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		policy, err := Parse(document)
		if err != nil {
			if _, ok := errors.AsType[*refusal.Error](err); !ok {
				t.Errorf("error = %v", err)
			}
			return
		}
		written, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%s is refused: %v", written, err)
		}
		if twice, _ := json.Marshal(again); string(twice) != string(written) {
			t.Errorf("%s is read as %s", written, twice)
		}
	})
}
