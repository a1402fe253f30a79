package keyvault

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azcertificates"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestContactsAreKept(t *testing.T) {
	t.Parallel()
	client, ctx := certificateClient(t, newFixture(t, v1alpha1.KeyVaultCertificatesOfficer)), t.Context()
	_, err := client.GetContacts(ctx, nil)
	wantError(t, "contacts that were not set", err, http.StatusNotFound, "ContactsNotFound")
	for _, email := range []string{"a@orders.example", "b@orders.example"} {
		_, err := client.SetContacts(ctx, azcertificates.Contacts{ContactList: []*azcertificates.Contact{{Email: &email, Name: new("Ada")}}}, nil)
		must(t, err, "set contacts")
		read, err := client.GetContacts(ctx, nil)
		must(t, err, "read them")
		if len(read.ContactList) != 1 || *read.ContactList[0].Email != email || *read.ContactList[0].Name != "Ada" || *read.ID != vaultURL+"/certificates/contacts" {
			t.Errorf("contacts = %+v", read.Contacts)
		}
	}
	_, err = client.DeleteContacts(ctx, nil)
	must(t, err, "delete them")
	_, err = client.GetContacts(ctx, nil)
	wantError(t, "deleted contacts", err, http.StatusNotFound, "ContactsNotFound")
	long := strings.Repeat("a", maxContact+1)
	_, err = client.SetContacts(ctx, azcertificates.Contacts{ContactList: []*azcertificates.Contact{{Email: &long}}}, nil)
	wantError(t, "a long address", err, http.StatusBadRequest, "longer")
}

// There are no authorities, and none can be added.
func TestAuthoritiesAreNotHere(t *testing.T) {
	t.Parallel()
	client, ctx := certificateClient(t, newFixture(t, v1alpha1.KeyVaultCertificatesOfficer)), t.Context()
	page, err := client.NewListIssuerPropertiesPager(nil).NextPage(ctx)
	must(t, err, "list the authorities")
	if len(page.Value) != 0 {
		t.Errorf("authorities: %+v", page.Value)
	}
	_, err = client.SetIssuer(ctx, "policy", azcertificates.SetIssuerParameters{Provider: new("DigiCert")}, nil)
	wantError(t, "a new one", err, http.StatusBadRequest, "Self")
	_, err = client.GetIssuer(ctx, "policy", nil)
	wantError(t, "one of them", err, http.StatusNotFound, "CertificateIssuerNotFound")
	_, err = client.DeleteIssuer(ctx, "policy", nil)
	wantError(t, "one to delete", err, http.StatusNotFound, "CertificateIssuerNotFound")
}
