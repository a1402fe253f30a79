package issuer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestKeyVault(t *testing.T) {
	v := startVault(t)
	for _, one := range []struct {
		name string
		run  func(*testing.T, *vaultTest)
	}{
		{"TokenAloneOpensNothing", testTokenAloneOpensNothing},
		{"SecretsOfTheSDK", testSecretsOfTheSDK},
		{"DeletedSecrets", testDeletedSecrets},
		{"BackupsAreRestored", testBackupsAreRestored},
		{"PurgeProtection", testPurgeProtection},
		{"Pages", testPages},
		{"ConcurrentWritesLoseNothing", testConcurrentWrites},
		{"RoleOfOneSecret", testRoleOfOneSecret},
		{"WrongTokens", testWrongTokens},
		{"BadRequests", testBadRequests},
		{"NameBelongsToTheOldest", testNameBelongsToTheOldest},
		{"PublicHosts", testPublicHosts},
		{"PublicHostsThatAreNone", testPublicHostsThatAreNone},
		{"KilledServerLosesNothing", testKilledServerLosesNothing},
		{"APIServerIsAway", testVaultWithoutAPIServer}, // the last one: it does not come back
	} {
		if !t.Run(one.name, func(t *testing.T) { one.run(t, v) }) {
			break
		}
	}
}

func testTokenAloneOpensNothing(t *testing.T, v *vaultTest) {
	_, err := v.client(t).SetSecret(t.Context(), "greeting", azsecrets.SetSecretParameters{Value: new("hello")}, nil)
	wantError(t, err, http.StatusForbidden, "ForbiddenByRbac", "Microsoft.KeyVault/vaults/secrets/setSecret/action", "vaults/orders/secrets/greeting",
		string(v.home.identity.Status.PrincipalID))
	eventually(t, "the refusal is in the audit log", func() error {
		if log := v.server.log.String(); !strings.Contains(log, `"reason":"ForbiddenByRbac"`) {
			return fmt.Errorf("log = %s", log)
		}
		return nil
	})
	officer := v.assign(t, v1alpha1.KeyVaultSecretsOfficer, "")
	eventually(t, "the role takes effect", func() error {
		_, err := v.client(t).SetSecret(t.Context(), "greeting", azsecrets.SetSecretParameters{Value: new("hello")}, nil)
		return err
	})
	v.delete(t, officer)
	eventually(t, "the role is withdrawn", func() error {
		_, err := v.client(t).GetSecret(t.Context(), "greeting", "", nil)
		if failed, ok := errors.AsType[*azcore.ResponseError](err); !ok || failed.StatusCode != http.StatusForbidden {
			return fmt.Errorf("want it to be forbidden, got: %w", err)
		}
		return nil
	})
	v.assign(t, v1alpha1.KeyVaultSecretsOfficer, "")
	eventually(t, "the role is there again", func() error {
		_, err := v.client(t).GetSecret(t.Context(), "greeting", "", nil)
		return err
	})
}

func testSecretsOfTheSDK(t *testing.T, v *vaultTest) {
	vault, ctx := v.client(t), t.Context()
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	first, err := vault.SetSecret(ctx, "Colour", azsecrets.SetSecretParameters{
		Value: new("blue"), ContentType: new("text/plain"), Tags: map[string]*string{"team": new("retail")},
		SecretAttributes: &azsecrets.SecretAttributes{Expires: &expires},
	}, nil)
	must(t, err, "set a secret")
	second, err := vault.SetSecret(ctx, "colour", azsecrets.SetSecretParameters{Value: new("green")}, nil)
	must(t, err, "set it again")
	if first.ID.Name() != "Colour" || len(first.ID.Version()) != 32 || first.ID.Version() == second.ID.Version() {
		t.Errorf("IDs = %s and %s", *first.ID, *second.ID)
	}
	current, err := vault.GetSecret(ctx, "COLOUR", "", nil)
	must(t, err, "get the current version")
	old, err := vault.GetSecret(ctx, "colour", first.ID.Version(), nil)
	must(t, err, "get the first version")
	if *current.Value != "green" || *old.Value != "blue" || *old.ContentType != "text/plain" || *old.Tags["team"] != "retail" ||
		!old.Attributes.Expires.Equal(expires) || *old.Attributes.RecoveryLevel != "CustomizedRecoverable+Purgeable" || *old.Attributes.RecoverableDays != 7 {
		t.Errorf("current %+v, first %+v with %+v", current, old, old.Attributes)
	}

	_, err = vault.UpdateSecretProperties(ctx, "colour", second.ID.Version(), azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: new(false)}, Tags: map[string]*string{"old": new("yes")},
	}, nil)
	must(t, err, "disable a version")
	_, err = vault.GetSecret(ctx, "colour", "", nil)
	wantError(t, err, http.StatusForbidden, "SecretDisabled")
	_, err = vault.GetSecret(ctx, "missing", "", nil)
	wantError(t, err, http.StatusNotFound, "SecretNotFound")
	_, err = vault.GetSecret(ctx, "colour", strings.Repeat("0", 32), nil)
	wantError(t, err, http.StatusNotFound, "SecretNotFound")
}

func testDeletedSecrets(t *testing.T, v *vaultTest) {
	vault, ctx := v.client(t), t.Context()
	_, err := vault.SetSecret(ctx, "doomed", azsecrets.SetSecretParameters{Value: new("x")}, nil)
	must(t, err, "set a secret")
	deleted, err := vault.DeleteSecret(ctx, "doomed", nil)
	must(t, err, "delete it")
	if days := deleted.ScheduledPurgeDate.Sub(*deleted.DeletedDate).Hours() / 24; days != 7 || deleted.RecoveryID == nil {
		t.Errorf("deleted = %+v, to be purged after %v days", deleted, days)
	}
	_, err = vault.GetSecret(ctx, "doomed", "", nil)
	wantError(t, err, http.StatusNotFound, "SecretNotFound")
	_, err = vault.SetSecret(ctx, "doomed", azsecrets.SetSecretParameters{Value: new("y")}, nil)
	wantError(t, err, http.StatusConflict, "ObjectIsDeletedButRecoverable")
	_, err = vault.RecoverDeletedSecret(ctx, "doomed", nil)
	must(t, err, "recover it")
	found, err := vault.GetSecret(ctx, "doomed", "", nil)
	must(t, err, "get it again")
	if *found.Value != "x" {
		t.Errorf("value = %q", *found.Value)
	}
	_, err = vault.DeleteSecret(ctx, "doomed", nil)
	must(t, err, "delete it again")
	_, err = vault.PurgeDeletedSecret(ctx, "doomed", nil)
	must(t, err, "purge it")
	_, err = vault.GetDeletedSecret(ctx, "doomed", nil)
	wantError(t, err, http.StatusNotFound, "SecretNotFound")
	_, err = vault.SetSecret(ctx, "doomed", azsecrets.SetSecretParameters{Value: new("new")}, nil)
	must(t, err, "use the name again")
}

// With purge protection a deleted secret waits for its time, and says so; and the protection cannot be taken back.
func testPurgeProtection(t *testing.T, v *vaultTest) {
	before := client.MergeFrom(v.vault.DeepCopy())
	v.vault.Spec.EnablePurgeProtection = true
	must(t, v.Patch(t.Context(), v.vault, before), "protect the vault")
	vault, ctx := v.client(t), t.Context()
	eventually(t, "secrets are protected", func() error {
		set, err := vault.SetSecret(ctx, "protected", azsecrets.SetSecretParameters{Value: new("x")}, nil)
		if err == nil && *set.Attributes.RecoveryLevel != "CustomizedRecoverable" {
			err = fmt.Errorf("recovery level = %s", *set.Attributes.RecoveryLevel)
		}
		return err
	})
	_, err := vault.DeleteSecret(ctx, "protected", nil)
	must(t, err, "delete a secret")
	_, err = vault.PurgeDeletedSecret(ctx, "protected", nil)
	wantError(t, err, http.StatusForbidden, "ForbiddenByPolicy")
	_, err = vault.RecoverDeletedSecret(ctx, "protected", nil)
	must(t, err, "recover it")
	withdrawn := client.MergeFrom(v.vault.DeepCopy())
	v.vault.Spec.EnablePurgeProtection = false
	if err := v.Patch(ctx, v.vault, withdrawn); err == nil || !strings.Contains(err.Error(), "cannot be taken back") {
		t.Errorf("taking the protection back: %v", err)
	}
	v.vault.Spec.EnablePurgeProtection = true
}

// Lists come in pages, in order, and have neither values nor versions in their IDs.
func testPages(t *testing.T, v *vaultTest) {
	vault, ctx := v.client(t), t.Context()
	var want []string
	for n := range 30 {
		name := fmt.Sprintf("page-%02d", n)
		want = append(want, name)
		_, err := vault.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: new("x")}, nil)
		must(t, err, "set a secret")
	}
	var got []string
	for pager := vault.NewListSecretPropertiesPager(nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		must(t, err, "list the secrets")
		for _, one := range page.Value {
			if one.ID.Version() != "" {
				t.Errorf("the ID %s has a version", *one.ID)
			}
			if strings.HasPrefix(one.ID.Name(), "page-") {
				got = append(got, one.ID.Name())
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	_, err := vault.DeleteSecret(ctx, "page-07", nil)
	must(t, err, "delete one")
	deleted, err := vault.NewListDeletedSecretPropertiesPager(nil).NextPage(ctx)
	must(t, err, "list the deleted secrets")
	if len(deleted.Value) != 1 || deleted.Value[0].ID.Name() != "page-07" {
		t.Errorf("deleted: %+v", deleted.Value)
	}
}

// Every write that was answered is there.
func testConcurrentWrites(t *testing.T, v *vaultTest) {
	vault, ctx := v.client(t), t.Context()
	var written sync.Map
	var writing sync.WaitGroup
	for n := range 12 {
		writing.Go(func() {
			set, err := vault.SetSecret(ctx, "contended", azsecrets.SetSecretParameters{Value: new(fmt.Sprint(n))}, nil)
			if err != nil {
				t.Error("a concurrent write:", err)
				return
			}
			written.Store(set.ID.Version(), fmt.Sprint(n))
		})
	}
	writing.Wait()
	count := 0
	for version, value := range written.Range {
		found, err := vault.GetSecret(ctx, "contended", version.(string), nil)
		if err != nil || *found.Value != value {
			t.Errorf("version %s: %v", version, err)
		}
		count++
	}
	page, err := vault.NewListSecretPropertiesVersionsPager("contended", nil).NextPage(ctx)
	must(t, err, "list the versions")
	if len(page.Value) != count {
		t.Errorf("%d versions, want %d", len(page.Value), count)
	}
}

// A role at one secret is for that one alone.
func testRoleOfOneSecret(t *testing.T, v *vaultTest) {
	own := *v
	own.home = v.newHome(t)
	other := v.home
	own.bearer = v.issuerProcess.bearer(t, own.home.newPod(t, "reader", "node-1"))
	own.grantedTo(t, own.bearer, vaultResource)
	_, err := v.client(t).SetSecret(t.Context(), "shared", azsecrets.SetSecretParameters{Value: new("for you")}, nil)
	must(t, err, "set a secret")
	own.home.name = other.name
	own.assign(t, v1alpha1.KeyVaultSecretsUser, "Shared")
	vault := own.client(t)
	eventually(t, "the secret can be read", func() error {
		_, err := vault.GetSecret(t.Context(), "shared", "", nil)
		return err
	})
	for what, err := range map[string]error{
		"another secret": ignoring(vault.GetSecret(t.Context(), "greeting", "", nil)),
		"a write":        ignoring(vault.SetSecret(t.Context(), "shared", azsecrets.SetSecretParameters{Value: new("x")}, nil)),
		"the list":       ignoring(vault.NewListSecretPropertiesPager(nil).NextPage(t.Context())),
	} {
		t.Run(what, func(t *testing.T) { wantError(t, err, http.StatusForbidden, "ForbiddenByRbac") })
	}
}

func ignoring[T any](_ T, err error) error { return err }

func testWrongTokens(t *testing.T, v *vaultTest) {
	right, err := v.tokenFor(t.Context(), vaultResource)
	must(t, err, "get a token")
	foreign, err := v.tokenFor(t.Context(), "https://storage.azure.com")
	must(t, err, "get a token of another audience")
	parts := strings.Split(right, ".")
	for name, test := range map[string]struct {
		header, code string
	}{
		"none":             {"", "AKV10000"},
		"another scheme":   {"Basic eDp5", "AKV10000"},
		"another audience": {"Bearer " + foreign, "AKV10022"},
		"tampered":         {"Bearer " + parts[0] + "." + parts[1][:len(parts[1])-2] + "AA." + parts[2], "AKV100"},
		"none as alg":      {"Bearer eyJhbGciOiJub25lIn0." + parts[1] + ".", "AKV10045"},
		"garbage":          {"Bearer garbage", "AKV10045"},
		"too long":         {"Bearer " + strings.Repeat("a", 15<<10), "AKV10045"},
	} {
		status, header, body := v.send(t, http.MethodGet, "/secrets/greeting?api-version=7.6", test.header, "")
		if status != http.StatusUnauthorized || !strings.Contains(body, test.code) {
			t.Errorf("%s: got %d %s", name, status, body)
		}
		if challenge := header.Get("WWW-Authenticate"); challenge != `Bearer authorization="`+oidcURL+"/"+tenant+`", resource="`+vaultResource+`"` {
			t.Errorf("%s: challenge = %s", name, challenge)
		}
	}
}

func testBadRequests(t *testing.T, v *vaultTest) {
	token, err := v.tokenFor(t.Context(), vaultResource)
	must(t, err, "get a token")
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"no version", http.MethodGet, "/secrets/greeting", "", 400, "BadParameter"},
		{"an unknown version", http.MethodGet, "/secrets/greeting?api-version=9.9", "", 400, "not recognized"},
		{"a bad name", http.MethodGet, "/secrets/a_b?api-version=7.6", "", 400, "BadParameter"},
		{"a long name", http.MethodGet, "/secrets/" + strings.Repeat("a", 128) + "?api-version=7.6", "", 400, "BadParameter"},
		{"an unknown path", http.MethodGet, "/certificates2?api-version=7.6", "", 404, "NotFound"},
		{"no value", http.MethodPut, "/secrets/x?api-version=7.6", "{}", 400, "value"},
		{"no JSON", http.MethodPut, "/secrets/x?api-version=7.6", "value", 400, "JSON"},
		{"a long value", http.MethodPut, "/secrets/x?api-version=7.6", `{"value":"` + strings.Repeat("a", 25<<10+1) + `"}`, 400, "longer"},
		{"a huge body", http.MethodPut, "/secrets/x?api-version=7.6", `{"value":"` + strings.Repeat("a", 300<<10) + `"}`, 413, "too large"},
		{"too many results", http.MethodGet, "/secrets?api-version=7.6&maxresults=26", "", 400, "maxresults"},
		{"a strange token", http.MethodGet, "/secrets?api-version=7.6&$skiptoken=*", "", 400, "skiptoken"},
	} {
		if status, _, body := v.send(t, test.method, test.path, "Bearer "+token, test.body); status != test.status || !strings.Contains(body, test.code) {
			t.Errorf("%s: got %d %s, want %d with %s", test.name, status, body, test.status, test.code)
		}
	}
}

// Two vaults cannot have one host name: the older one has it.
func testNameBelongsToTheOldest(t *testing.T, v *vaultTest) {
	other := &v1alpha1.KeyVault{ObjectMeta: metav1.ObjectMeta{Namespace: v.newHome(t).name, Name: v.vault.Name}}
	v.create(t, other)
	eventually(t, "the younger one is refused the name", func() error {
		if err := v.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil {
			return err
		}
		if len(other.Status.Conditions) != 1 || other.Status.Conditions[0].Reason != v1alpha1.ReasonNameTaken || other.Status.URI != "" {
			return fmt.Errorf("status = %+v", other.Status)
		}
		return nil
	})
	_, err := v.client(t).GetSecret(t.Context(), "greeting", "", nil)
	must(t, err, "read from the older one")
}
