package keyvault

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// contacts are whom a vault tells of its certificates: they are kept for clients that set them. The vault sends no mail.
type contacts struct {
	*kind
	store *store.Store
}

// authorities returns the operations on what is beside certificates: contacts, and authorities, which are not here. Their paths would be
// those of certificates named contacts and issuers, so those names are theirs.
func (k *certificates) authorities() routes {
	c := contacts{k.kind, &store.Store{Records: k.Records, Kind: "certificate-contacts", Now: k.Now}}
	return routes{
		"GET /certificates/contacts":            {role.WriteContacts, c.read},
		"PUT /certificates/contacts":            {role.WriteContacts, c.set},
		"DELETE /certificates/contacts":         {role.WriteContacts, c.remove},
		"GET /certificates/issuers":             {role.ReadAuthority, func(x *exchange) (int, any, error) { return x.page(nil) }},
		"GET /certificates/issuers/{issuer}":    {role.ReadAuthority, noAuthority},
		"PUT /certificates/issuers/{issuer}":    {role.WriteAuthority, refuseAuthority},
		"PATCH /certificates/issuers/{issuer}":  {role.WriteAuthority, noAuthority},
		"DELETE /certificates/issuers/{issuer}": {role.DeleteAuthority, noAuthority},
	}
}

func noAuthority(x *exchange) (int, any, error) {
	return 0, nil, &Failure{Status: http.StatusNotFound, Code: "CertificateIssuerNotFound", Message: "Issuer not found: " + cut(x.request.PathValue("issuer"))}
}

func refuseAuthority(*exchange) (int, any, error) {
	return 0, nil, badParameter("This vault asks no other authority for certificates. Use the issuer Self, or Unknown and merge what your authority signs.")
}

// contactList is the list of contacts in requests and answers.
type contactList struct {
	ID       string    `json:"id,omitempty"`
	Contacts []contact `json:"contacts"`
}

type contact struct {
	Email string `json:"email,omitempty"`
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// The bounds of contacts.
const (
	maxContacts = 50
	maxContact  = 320 // the longest address of mail
)

func (l contactList) check() error {
	if len(l.Contacts) == 0 || len(l.Contacts) > maxContacts {
		return badParameter("There must be from 1 to %d contacts.", maxContacts)
	}
	for _, one := range l.Contacts {
		if max(len(one.Email), len(one.Name), len(one.Phone)) > maxContact {
			return badParameter("A property of a contact is longer than %d characters.", maxContact)
		}
	}
	return nil
}

// contactsName is the name of the object with the contacts of a vault.
const contactsName = "contacts"

func (c contacts) set(x *exchange) (int, any, error) {
	var asked contactList
	if err := readBody(x.request, maxBody, &asked); err != nil {
		return 0, nil, err
	}
	asked.ID = ""
	if err := asked.check(); err != nil {
		return 0, nil, err
	}
	detail, err := json.Marshal(asked)
	if err != nil {
		return 0, nil, fmt.Errorf("render contacts: %w", err)
	}
	_, err = c.store.Change(x.request.Context(), x.vault.UID, contactsName, func(object *store.Object) error {
		object.Versions, object.Detail = []store.Version{c.newVersion()}, detail
		return nil
	})
	return c.answer(x, asked, err)
}

func (c contacts) read(x *exchange) (int, any, error) {
	kept, err := c.find(x)
	return c.answer(x, kept, err)
}

// remove forgets the contacts, and answers with what they were.
func (c contacts) remove(x *exchange) (int, any, error) {
	kept, err := c.find(x)
	if err != nil {
		return 0, nil, err
	}
	if err := c.store.Remove(x.request.Context(), x.vault.UID, contactsName); err != nil {
		return 0, nil, err
	}
	return c.answer(x, kept, nil)
}

func (c contacts) find(x *exchange) (kept contactList, err error) {
	object, err := c.store.Get(x.request.Context(), x.vault.UID, contactsName)
	if err != nil {
		return kept, err
	}
	if object == nil {
		return kept, &Failure{Status: http.StatusNotFound, Code: "ContactsNotFound", Message: "Contacts not found."}
	}
	if err := json.Unmarshal(object.Detail, &kept); err != nil {
		return kept, fmt.Errorf("parse contacts: %w", err)
	}
	return kept, nil
}

func (c contacts) answer(x *exchange, kept contactList, err error) (int, any, error) {
	kept.ID = "https://" + x.vault.Host + "/certificates/contacts"
	return http.StatusOK, kept, err
}
