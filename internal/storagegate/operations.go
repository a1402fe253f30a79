package storagegate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// operation is an operation of a service's REST API.
type operation struct {
	name    string
	methods string
	level   level

	// restype and comp are the query parameters of these names.
	restype, comp string

	// needs are the actions that the caller must have: all of one of the sets.
	needs [][]role.Action

	// copies is whether the operation reads another blob, which a header names.
	copies bool

	// creates is whether a header names the type of a new blob.
	creates bool
}

func (o operation) takes(method string) bool {
	return slices.Contains(strings.Fields(o.methods), method)
}

func anyOf(actions ...role.Action) [][]role.Action {
	sets := make([][]role.Action, len(actions))
	for i, action := range actions {
		sets[i] = []role.Action{action}
	}
	return sets
}

// operations are all operations that pass the gate, by service, with the actions that Azure asks for
// (learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory). What is not in it is refused. Where a query parameter or
// a header tells two operations apart, the one that asks for it comes first: see selectors.
var operations = map[Service][]operation{
	Blob: {
		{name: "List Containers", methods: "GET", level: atService, comp: "list", needs: anyOf(role.ReadContainer)},
		{name: "Get Blob Service Properties", methods: "GET", level: atService, restype: "service", comp: "properties", needs: anyOf(role.ReadBlobService)},
		{name: "Set Blob Service Properties", methods: "PUT", level: atService, restype: "service", comp: "properties", needs: anyOf(role.WriteBlobService)},
		{name: "Get Blob Service Stats", methods: "GET", level: atService, restype: "service", comp: "stats", needs: anyOf(role.ReadBlobService)},
		{name: "Get Account Information", methods: "GET HEAD", level: atService, restype: "account", comp: "properties", needs: anyOf(role.GetBlobInfo)},
		{name: "Find Blobs by Tags", methods: "GET", level: atService, comp: "blobs", needs: anyOf(role.FilterBlobs)},

		{name: "Create Container", methods: "PUT", level: atContainer, restype: "container", needs: anyOf(role.WriteContainer)},
		{name: "Get Container Properties", methods: "GET HEAD", level: atContainer, restype: "container", needs: anyOf(role.ReadContainer)},
		{name: "Get Container Metadata", methods: "GET HEAD", level: atContainer, restype: "container", comp: "metadata", needs: anyOf(role.ReadContainer)},
		{name: "Set Container Metadata", methods: "PUT", level: atContainer, restype: "container", comp: "metadata", needs: anyOf(role.WriteContainer)},
		{name: "Lease Container", methods: "PUT", level: atContainer, restype: "container", comp: "lease", needs: anyOf(role.WriteContainer)},
		{name: "Delete Container", methods: "DELETE", level: atContainer, restype: "container", needs: anyOf(role.DeleteContainer)},
		{name: "List Blobs", methods: "GET", level: atContainer, restype: "container", comp: "list", needs: anyOf(role.ReadBlob)},
		{name: "Find Blobs by Tags in Container", methods: "GET", level: atContainer, restype: "container", comp: "blobs", needs: anyOf(role.FilterBlobs)},

		{name: "Copy Blob", methods: "PUT", level: inContainer, needs: anyOf(role.WriteBlob), copies: true},
		{name: "Put Blob", methods: "PUT", level: inContainer, needs: anyOf(role.WriteBlob), creates: true},
		{name: "Get Blob", methods: "GET", level: inContainer, needs: anyOf(role.ReadBlob)},
		{name: "Get Blob Properties", methods: "HEAD", level: inContainer, needs: anyOf(role.ReadBlob)},
		{name: "Delete Blob", methods: "DELETE", level: inContainer, needs: anyOf(role.DeleteBlob)},
		{name: "Abort Copy Blob", methods: "PUT", level: inContainer, comp: "copy", needs: anyOf(role.WriteBlob)},
		{name: "Set Blob Properties", methods: "PUT", level: inContainer, comp: "properties", needs: anyOf(role.WriteBlob)},
		{name: "Set Blob Metadata", methods: "PUT", level: inContainer, comp: "metadata", needs: anyOf(role.WriteBlob)},
		{name: "Get Blob Tags", methods: "GET", level: inContainer, comp: "tags", needs: anyOf(role.ReadTags)},
		{name: "Set Blob Tags", methods: "PUT", level: inContainer, comp: "tags", needs: anyOf(role.WriteTags)},
		{name: "Set Blob Tier", methods: "PUT", level: inContainer, comp: "tier", needs: anyOf(role.WriteBlob)},
		{name: "Lease Blob", methods: "PUT", level: inContainer, comp: "lease", needs: anyOf(role.WriteBlob)},
		{name: "Snapshot Blob", methods: "PUT", level: inContainer, comp: "snapshot", needs: anyOf(role.WriteBlob)},
		{name: "Put Block", methods: "PUT", level: inContainer, comp: "block", needs: anyOf(role.WriteBlob)},
		{name: "Put Block List", methods: "PUT", level: inContainer, comp: "blocklist", needs: anyOf(role.WriteBlob)},
		{name: "Get Block List", methods: "GET", level: inContainer, comp: "blocklist", needs: anyOf(role.ReadBlob)},
		{name: "Put Page", methods: "PUT", level: inContainer, comp: "page", needs: anyOf(role.WriteBlob)},
		{name: "Get Page Ranges", methods: "GET", level: inContainer, comp: "pagelist", needs: anyOf(role.ReadBlob)},
		{name: "Append Block", methods: "PUT", level: inContainer, comp: "appendblock", needs: anyOf(role.WriteBlob)},
		{name: "Append Blob Seal", methods: "PUT", level: inContainer, comp: "seal", needs: anyOf(role.WriteBlob)},
	},
	Queue: {
		{name: "List Queues", methods: "GET", level: atService, comp: "list", needs: anyOf(role.ReadQueue)},
		{name: "Get Queue Service Properties", methods: "GET", level: atService, restype: "service", comp: "properties", needs: anyOf(role.ReadQueueService)},
		{name: "Set Queue Service Properties", methods: "PUT", level: atService, restype: "service", comp: "properties", needs: anyOf(role.WriteQueueService)},
		{name: "Get Queue Service Stats", methods: "GET", level: atService, restype: "service", comp: "stats", needs: anyOf(role.ReadQueueService)},

		{name: "Create Queue", methods: "PUT", level: atQueue, needs: anyOf(role.WriteQueue)},
		{name: "Delete Queue", methods: "DELETE", level: atQueue, needs: anyOf(role.DeleteQueue)},
		{name: "Get Queue Metadata", methods: "GET HEAD", level: atQueue, comp: "metadata", needs: anyOf(role.ReadQueue)},
		{name: "Set Queue Metadata", methods: "PUT", level: atQueue, comp: "metadata", needs: anyOf(role.WriteQueue)},

		{name: "Peek Messages", methods: "GET", level: atMessages, needs: anyOf(role.ReadMessage)},
		{name: "Get Messages", methods: "GET", level: atMessages, needs: [][]role.Action{{role.ProcessMessage}, {role.ReadMessage, role.DeleteMessage}}},
		{name: "Put Message", methods: "POST", level: atMessages, needs: anyOf(role.AddMessage, role.WriteMessage)},
		{name: "Clear Messages", methods: "DELETE", level: atMessages, needs: anyOf(role.DeleteMessage)},
		{name: "Update Message", methods: "PUT", level: inMessages, needs: anyOf(role.WriteMessage)},
		{name: "Delete Message", methods: "DELETE", level: inMessages, needs: anyOf(role.ProcessMessage, role.DeleteMessage)},
	},
	Table: {
		{name: "Get Table Service Properties", methods: "GET", level: atService, restype: "service", comp: "properties", needs: anyOf(role.ReadTableService)},
		{name: "Set Table Service Properties", methods: "PUT", level: atService, restype: "service", comp: "properties", needs: anyOf(role.WriteTableService)},
		{name: "Get Table Service Stats", methods: "GET", level: atService, restype: "service", comp: "stats", needs: anyOf(role.ReadTableService)},

		// The name of a new table is in the body, so the action is needed at the account.
		{name: "Query Tables", methods: "GET", level: atTables, needs: anyOf(role.ReadTable)},
		{name: "Create Table", methods: "POST", level: atTables, needs: anyOf(role.WriteTable)},
		{name: "Delete Table", methods: "DELETE", level: atTableName, needs: anyOf(role.DeleteTable)},

		{name: "Query Entities", methods: "GET", level: atTable, needs: anyOf(role.ReadEntity)},
		{name: "Insert Entity", methods: "POST", level: atTable, needs: anyOf(role.AddEntity, role.WriteEntity)},
		{name: "Get Entity", methods: "GET", level: inTable, needs: anyOf(role.ReadEntity)},
		{name: "Update Entity", methods: "PUT", level: inTable, needs: anyOf(role.WriteEntity)},
		{name: "Merge Entity", methods: "PATCH", level: inTable, needs: anyOf(role.WriteEntity)},
		{name: "Delete Entity", methods: "DELETE", level: inTable, needs: anyOf(role.DeleteEntity)},
	},
}

// selectors say which of two operations of the same path it is.
var selectors = map[string]func(http.Header, url.Values) bool{
	"Copy Blob": func(header http.Header, _ url.Values) bool {
		return header.Get(copySource) != "" && header.Get(blobType) == ""
	},
	"Peek Messages": func(_ http.Header, query url.Values) bool { return query.Get("peekonly") == "true" },
}

// extras are actions that a header, or a value of a parameter, needs beside those of the operation.
var extras = []struct {
	action role.Action
	asked  func(http.Header, url.Values) bool
}{
	{role.WriteTags, func(header http.Header, _ url.Values) bool {
		return header.Get("x-ms-tags") != "" || header.Get(copyTags) != ""
	}},
	{role.ReadTags, func(header http.Header, query url.Values) bool {
		return header.Get("x-ms-if-tags") != "" || slices.Contains(strings.Split(query.Get("include"), ","), "tags")
	}},
}

// findOperation returns the operation that a request asks for.
func findOperation(service Service, method string, at target, header http.Header, query url.Values) (operation, error) {
	if query.Get("comp") == "batch" {
		return operation{}, errBatch
	}
	i := slices.IndexFunc(operations[service], func(o operation) bool {
		selects := selectors[o.name]
		return o.level == at.level && o.comp == query.Get("comp") && o.restype == query.Get("restype") && o.takes(method) &&
			(selects == nil || selects(header, query))
	})
	if i < 0 {
		return operation{}, errOperation
	}
	found := operations[service][i]
	switch {
	case header.Get(copySource) != "" && !found.copies:
		return operation{}, errFromURL
	case header.Get(blobType) != "" && !found.creates:
		return operation{}, errOperation
	}
	return found.with(header, query), nil
}

// The headers that make another operation of a request.
const (
	copySource = "x-ms-copy-source"
	blobType   = "x-ms-blob-type"
)

var (
	errOperation = badRequest("UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb with these parameters.")

	errFromURL = &Failure{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: "Of the operations that read from a URL, there is Copy Blob alone."}

	errBatch = &Failure{Status: http.StatusNotImplemented, Code: "NotImplemented", Message: "There are no batches."}
)

// with returns the operation with the actions that a request's headers and parameters need.
func (o operation) with(header http.Header, query url.Values) operation {
	for _, extra := range extras {
		if !extra.asked(header, query) {
			continue
		}
		sets := make([][]role.Action, len(o.needs))
		for i, set := range o.needs {
			sets[i] = append(slices.Clone(set), extra.action)
		}
		o.needs = sets
	}
	return o
}

// isAllowed reports whether a principal has what the operation needs.
func (o operation) isAllowed(assignments []role.Assignment, principal string, at role.Scope) bool {
	return slices.ContainsFunc(o.needs, func(set []role.Action) bool {
		return !slices.ContainsFunc(set, func(action role.Action) bool { return !role.Decide(assignments, principal, action, at) })
	})
}

// action is the action that logs name.
func (o operation) action() string {
	if len(o.needs) == 0 {
		return ""
	}
	return string(o.needs[0][0])
}
