package issuer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// testQueues takes the operations of queues, with the roles of a sender, a processor and a contributor.
func testQueues(t *testing.T, s *storageTest) {
	ctx, service := t.Context(), s.queues(t)
	_, err := service.CreateQueue(ctx, "jobs", nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationPermissionMismatch")
	contributor := s.assignStorage(t, v1alpha1.StorageQueueDataContributor, nil)
	eventually(t, "a contributor creates a queue", func() error {
		_, err := service.CreateQueue(ctx, "jobs", nil)
		return err
	})
	jobs := service.NewQueueClient("jobs")
	_, err = jobs.SetMetadata(ctx, nil)
	must(t, err, "set a queue's metadata")
	_, err = jobs.GetProperties(ctx, nil)
	must(t, err, "get a queue's metadata")
	queues, err := service.NewListQueuesPager(nil).NextPage(ctx)
	must(t, err, "list the queues")
	if len(queues.Queues) != 1 {
		t.Errorf("queues = %+v", queues.Queues)
	}
	_, err = jobs.EnqueueMessage(ctx, "one", nil)
	must(t, err, "put a message")
	got, err := jobs.DequeueMessage(ctx, nil)
	must(t, err, "get a message")
	message := got.Messages[0]
	updated, err := jobs.UpdateMessage(ctx, *message.MessageID, *message.PopReceipt, "two", nil)
	must(t, err, "update it")
	_, err = jobs.DeleteMessage(ctx, *message.MessageID, *updated.PopReceipt, nil)
	must(t, err, "delete it")
	_, err = jobs.ClearMessages(ctx, nil)
	must(t, err, "clear the messages")
	s.delete(t, contributor)

	sender := s.assignStorage(t, v1alpha1.StorageQueueDataMessageSender, func(scope *v1alpha1.AssignmentScope) { scope.Queue = "jobs" })
	eventually(t, "a sender peeks no more", func() error {
		_, err := jobs.PeekMessage(ctx, nil)
		if err == nil {
			return fmt.Errorf("the contributor's role is still there")
		}
		return nil
	})
	eventually(t, "a sender sends", func() error {
		_, err := jobs.EnqueueMessage(ctx, "three", nil)
		return err
	})
	_, err = jobs.DequeueMessage(ctx, nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationPermissionMismatch")
	s.delete(t, sender)
	s.assignStorage(t, v1alpha1.StorageQueueDataMessageProcessor, nil)
	eventually(t, "a processor peeks", func() error {
		_, err := jobs.PeekMessage(ctx, nil)
		return err
	})
	got, err = jobs.DequeueMessage(ctx, nil)
	must(t, err, "get a message as a processor")
	_, err = jobs.DeleteMessage(ctx, *got.Messages[0].MessageID, *got.Messages[0].PopReceipt, nil)
	must(t, err, "delete it as a processor")
	for what, err := range map[string]error{
		"send": ignoring(jobs.EnqueueMessage(ctx, "four", nil)), "clear": ignoring(jobs.ClearMessages(ctx, nil)), "delete": ignoring(jobs.Delete(ctx, nil)),
	} {
		t.Run(what, func(t *testing.T) { wantError(t, err, http.StatusForbidden, "AuthorizationPermissionMismatch") })
	}
}

func testTables(t *testing.T, s *storageTest) {
	ctx, service := t.Context(), s.tables(t)
	_, err := service.CreateTable(ctx, "Bills", nil)
	wantError(t, err, http.StatusForbidden, "AuthorizationPermissionMismatch")
	s.assignStorage(t, v1alpha1.StorageTableDataContributor, nil)
	eventually(t, "a contributor creates a table", func() error {
		_, err := service.CreateTable(ctx, "Bills", nil)
		return err
	})
	bills := service.NewClient("Bills")
	entity := func(amount int) []byte {
		encoded, err := json.Marshal(map[string]any{"PartitionKey": "2026", "RowKey": "it's one", "Amount": amount})
		must(t, err, "encode an entity")
		return encoded
	}
	_, err = bills.AddEntity(ctx, entity(1), nil)
	must(t, err, "insert an entity")
	_, err = bills.AddEntity(ctx, entity(1), nil)
	wantError(t, err, http.StatusConflict, "EntityAlreadyExists")
	_, err = bills.UpdateEntity(ctx, entity(2), nil)
	must(t, err, "merge it")
	_, err = bills.UpsertEntity(ctx, entity(3), &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
	must(t, err, "replace it")
	found, err := bills.GetEntity(ctx, "2026", "it's one", nil)
	must(t, err, "get it")
	var got struct{ Amount int }
	must(t, json.Unmarshal(found.Value, &got), "decode it")
	if got.Amount != 3 {
		t.Errorf("entity = %s", found.Value)
	}
	page, err := bills.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: new("Amount gt 2"), Select: new("Amount")}).NextPage(ctx)
	must(t, err, "query entities")
	if len(page.Entities) != 1 {
		t.Errorf("%d entities", len(page.Entities))
	}
	tables, err := service.NewListTablesPager(nil).NextPage(ctx)
	must(t, err, "list the tables")
	if len(tables.Tables) != 1 || *tables.Tables[0].Name != "Bills" {
		t.Errorf("tables = %+v", tables.Tables)
	}
	_, err = bills.SubmitTransaction(ctx, []aztables.TransactionAction{{ActionType: aztables.TransactionTypeAdd, Entity: entity(4)}}, nil)
	wantError(t, err, http.StatusNotImplemented, "NotImplemented")
	_, err = bills.DeleteEntity(ctx, "2026", "it's one", nil)
	must(t, err, "delete it")
	_, err = service.CreateTable(ctx, "Spare", nil)
	must(t, err, "create another table")
	_, err = service.DeleteTable(ctx, "Spare", nil)
	must(t, err, "delete a table")
}
