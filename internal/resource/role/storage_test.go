package role

import (
	"slices"
	"testing"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestStorageRolesHaveAzuresActions(t *testing.T) {
	t.Parallel()
	blobs := []Action{
		ReadBlobService, WriteBlobService, GetBlobInfo, ReadContainer, WriteContainer, DeleteContainer, ReadBlob, WriteBlob, DeleteBlob, FilterBlobs,
		ReadTags, WriteTags,
	}
	queues := []Action{
		ReadQueueService, WriteQueueService, ReadQueue, WriteQueue, DeleteQueue, ReadMessage, WriteMessage, DeleteMessage, AddMessage, ProcessMessage,
	}
	tables := []Action{
		ReadTableService, WriteTableService, ReadTable, WriteTable, DeleteTable, ReadEntity, WriteEntity, DeleteEntity, AddEntity, UpdateEntity,
	}
	all := slices.Concat(blobs, queues, tables, []Action{GetSecret, SetSecret})
	for role, want := range map[v1alpha1.RoleName][]Action{
		v1alpha1.StorageBlobDataOwner:             blobs[3:],
		v1alpha1.StorageBlobDataContributor:       {ReadContainer, WriteContainer, DeleteContainer, ReadBlob, WriteBlob, DeleteBlob},
		v1alpha1.StorageBlobDataReader:            {ReadContainer, ReadBlob},
		v1alpha1.StorageQueueDataContributor:      {ReadQueue, WriteQueue, DeleteQueue, ReadMessage, WriteMessage, DeleteMessage, ProcessMessage},
		v1alpha1.StorageQueueDataReader:           {ReadQueue, ReadMessage},
		v1alpha1.StorageQueueDataMessageProcessor: {ReadMessage, ProcessMessage},
		v1alpha1.StorageQueueDataMessageSender:    {AddMessage},
		v1alpha1.StorageTableDataContributor:      {ReadTable, WriteTable, DeleteTable, ReadEntity, WriteEntity, DeleteEntity, AddEntity, UpdateEntity},
		v1alpha1.StorageTableDataReader:           {ReadTable, ReadEntity},
		v1alpha1.KeyVaultAdministrator:            {GetSecret, SetSecret},
	} {
		for _, action := range all {
			if got := Has(role, action); got != slices.Contains(want, action) {
				t.Errorf("%s has %s: %t", role, action, got)
			}
		}
	}
}

func TestDecideAtStorage(t *testing.T) {
	t.Parallel()
	account := Scope{Namespace: "shop", StorageAccount: "orders"}
	in := func(change func(*Scope)) Scope {
		scope := account
		change(&scope)
		return scope
	}
	invoices := in(func(s *Scope) { s.Object = Object{Containers, "invoices"} })
	assignments := []Assignment{
		{"writer", v1alpha1.StorageBlobDataContributor, account},
		{"reader", v1alpha1.StorageBlobDataReader, invoices},
		{"clerk", v1alpha1.StorageTableDataReader, in(func(s *Scope) { s.Object = Object{Tables, "Bills"} })},
		{"vaults", v1alpha1.KeyVaultAdministrator, Scope{Namespace: "shop", KeyVault: "orders"}},
		{"mistaken", v1alpha1.StorageBlobDataReader, Scope{Namespace: "shop", KeyVault: "orders"}},
	}
	for name, test := range map[string]struct {
		principal string
		action    Action
		at        Scope
		want      bool
	}{
		"at the account, in a container":          {"writer", WriteBlob, invoices, true},
		"at the account, for the account":         {"writer", ReadContainer, account, true},
		"at the container":                        {"reader", ReadBlob, invoices, true},
		"at the container, for the account":       {"reader", ReadContainer, account, false},
		"at the container, for another":           {"reader", ReadBlob, in(func(s *Scope) { s.Object = Object{Containers, "bills"} }), false},
		"at the container, for a queue of a name": {"reader", ReadBlob, in(func(s *Scope) { s.Object = Object{Queues, "invoices"} }), false},
		"at the container, another action":        {"reader", WriteBlob, invoices, false},
		"names of tables have no case":            {"clerk", ReadEntity, in(func(s *Scope) { s.Object = Object{Tables, "bills"} }), true},
		"another account":                         {"writer", WriteBlob, Scope{Namespace: "shop", StorageAccount: "bills"}, false},
		"another namespace":                       {"writer", WriteBlob, Scope{Namespace: "bank", StorageAccount: "orders"}, false},
		"a vault of the name":                     {"writer", WriteBlob, Scope{Namespace: "shop", KeyVault: "orders"}, false},
		"at the vault of the name":                {"vaults", ReadBlob, account, false},
		"a role of storage at a vault":            {"mistaken", ReadBlob, invoices, false},
	} {
		if got := Decide(assignments, test.principal, test.action, test.at); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}
