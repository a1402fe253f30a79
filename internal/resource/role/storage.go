package role

import "github.com/kube-imds/kube-imds/api/v1alpha1"

// The data actions of storage accounts.
const (
	ReadBlobService  Action = "Microsoft.Storage/storageAccounts/blobServices/read"
	WriteBlobService Action = "Microsoft.Storage/storageAccounts/blobServices/write"
	GetBlobInfo      Action = "Microsoft.Storage/storageAccounts/blobServices/getInfo/action"

	ReadContainer   Action = "Microsoft.Storage/storageAccounts/blobServices/containers/read"
	WriteContainer  Action = "Microsoft.Storage/storageAccounts/blobServices/containers/write"
	DeleteContainer Action = "Microsoft.Storage/storageAccounts/blobServices/containers/delete"

	ReadBlob    Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
	WriteBlob   Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
	DeleteBlob  Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete"
	FilterBlobs Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/filter/action"
	ReadTags    Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/read"
	WriteTags   Action = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/tags/write"

	ReadQueueService  Action = "Microsoft.Storage/storageAccounts/queueServices/read"
	WriteQueueService Action = "Microsoft.Storage/storageAccounts/queueServices/write"

	ReadQueue   Action = "Microsoft.Storage/storageAccounts/queueServices/queues/read"
	WriteQueue  Action = "Microsoft.Storage/storageAccounts/queueServices/queues/write"
	DeleteQueue Action = "Microsoft.Storage/storageAccounts/queueServices/queues/delete"

	ReadMessage    Action = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/read"
	WriteMessage   Action = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/write"
	DeleteMessage  Action = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/delete"
	AddMessage     Action = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action"
	ProcessMessage Action = "Microsoft.Storage/storageAccounts/queueServices/queues/messages/process/action"

	ReadTableService  Action = "Microsoft.Storage/storageAccounts/tableServices/read"
	WriteTableService Action = "Microsoft.Storage/storageAccounts/tableServices/write"

	ReadTable   Action = "Microsoft.Storage/storageAccounts/tableServices/tables/read"
	WriteTable  Action = "Microsoft.Storage/storageAccounts/tableServices/tables/write"
	DeleteTable Action = "Microsoft.Storage/storageAccounts/tableServices/tables/delete"

	ReadEntity   Action = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/read"
	WriteEntity  Action = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/write"
	DeleteEntity Action = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/delete"
	AddEntity    Action = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/add/action"
	UpdateEntity Action = "Microsoft.Storage/storageAccounts/tableServices/tables/entities/update/action"
)

// storageActions are the actions and data actions of Azure's built-in roles for the data of storage accounts
// (learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage).
var storageActions = map[v1alpha1.RoleName][]string{
	// "containers/*" has "containers/blobs/*" in it.
	v1alpha1.StorageBlobDataOwner:             {"Microsoft.Storage/storageAccounts/blobServices/containers/*"},
	v1alpha1.StorageBlobDataContributor:       names(ReadContainer, WriteContainer, DeleteContainer, ReadBlob, WriteBlob, DeleteBlob),
	v1alpha1.StorageBlobDataReader:            names(ReadContainer, ReadBlob),
	v1alpha1.StorageQueueDataContributor:      names(ReadQueue, WriteQueue, DeleteQueue, ReadMessage, WriteMessage, DeleteMessage, ProcessMessage),
	v1alpha1.StorageQueueDataReader:           names(ReadQueue, ReadMessage),
	v1alpha1.StorageQueueDataMessageProcessor: names(ReadMessage, ProcessMessage),
	v1alpha1.StorageQueueDataMessageSender:    names(AddMessage),
	v1alpha1.StorageTableDataContributor:      names(ReadTable, WriteTable, DeleteTable, ReadEntity, WriteEntity, DeleteEntity, AddEntity, UpdateEntity),
	v1alpha1.StorageTableDataReader:           names(ReadTable, ReadEntity),
}

func names(actions ...Action) []string {
	all := make([]string, len(actions))
	for i, action := range actions {
		all[i] = string(action)
	}
	return all
}
