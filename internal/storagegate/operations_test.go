package storagegate

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// ask returns what the gate makes of a request: the operation with the names of its actions, and the name in the path, or the code of the refusal.
func ask(service Service, method, address string, header http.Header) (string, string) {
	parsed, err := url.ParseRequestURI(address)
	if err != nil {
		return err.Error(), ""
	}
	query, err := parseQuery(parsed.RawQuery)
	if err == nil {
		var at target
		if at, err = parsePath(service, parsed.Path); err == nil {
			var found operation
			if found, err = findOperation(service, method, at, header, query); err == nil {
				return found.name + ": " + actionsOf(found), at.name
			}
		}
	}
	failed, _ := errors.AsType[*Failure](err)
	return fmt.Sprint(failed.Status, " ", failed.Code), ""
}

// actionsOf returns the actions of an operation without what all of their names begin with.
func actionsOf(o operation) string {
	var sets []string
	for _, set := range o.needs {
		var names []string
		for _, action := range set {
			names = append(names, strings.TrimPrefix(string(action), "Microsoft.Storage/storageAccounts/"))
		}
		sets = append(sets, strings.Join(names, " and "))
	}
	return strings.Join(sets, " or ")
}

// Every operation, as Azure's documentation names and describes it, with the actions that it asks for there.
func TestOperations(t *testing.T) {
	t.Parallel()
	const containers, queues, tables = "blobServices/containers/", "queueServices/queues/", "tableServices/tables/"
	tested := map[string]bool{}
	for _, test := range []struct {
		service               Service
		method, address, want string
		name                  string
	}{
		{Blob, "GET", "/?comp=list", "List Containers: " + containers + "read", ""},
		{Blob, "GET", "/?comp=list&include=metadata,tags", "List Containers: " + containers + "read and " + containers + "blobs/tags/read", ""},
		{Blob, "GET", "/?restype=service&comp=properties", "Get Blob Service Properties: blobServices/read", ""},
		{Blob, "PUT", "/?comp=properties&restype=service", "Set Blob Service Properties: blobServices/write", ""},
		{Blob, "GET", "/?restype=service&comp=stats", "Get Blob Service Stats: blobServices/read", ""},
		{Blob, "HEAD", "/?restype=account&comp=properties", "Get Account Information: blobServices/getInfo/action", ""},
		{Blob, "GET", "/?comp=blobs&where=a", "Find Blobs by Tags: " + containers + "blobs/filter/action", ""},
		{Blob, "PUT", "/invoices?restype=container", "Create Container: " + containers + "write", "invoices"},
		{Blob, "PUT", "/$root?restype=container", "Create Container: " + containers + "write", "$root"},
		{Blob, "GET", "/invoices?restype=container", "Get Container Properties: " + containers + "read", "invoices"},
		{Blob, "HEAD", "/invoices/?restype=container", "Get Container Properties: " + containers + "read", "invoices"},
		{Blob, "HEAD", "/invoices?restype=container&comp=metadata", "Get Container Metadata: " + containers + "read", "invoices"},
		{Blob, "PUT", "/invoices?restype=container&comp=metadata", "Set Container Metadata: " + containers + "write", "invoices"},
		{Blob, "PUT", "/invoices?restype=container&comp=lease", "Lease Container: " + containers + "write", "invoices"},
		{Blob, "DELETE", "/invoices?restype=container", "Delete Container: " + containers + "delete", "invoices"},
		{Blob, "GET", "/invoices?restype=container&comp=list&prefix=a%2F&delimiter=/", "List Blobs: " + containers + "blobs/read", "invoices"},
		{Blob, "GET", "/invoices?restype=container&comp=list&include=tags", "List Blobs: " + containers + "blobs/read and " + containers + "blobs/tags/read", "invoices"},
		{Blob, "GET", "/invoices?restype=container&comp=blobs&where=a", "Find Blobs by Tags in Container: " + containers + "blobs/filter/action", "invoices"},
		{Blob, "PUT", "/invoices/a/b", "Put Blob: " + containers + "blobs/write", "invoices"},
		{Blob, "GET", "/invoices/a%20b?snapshot=2026-11-27T00:00:00.0000000Z", "Get Blob: " + containers + "blobs/read", "invoices"},
		{Blob, "HEAD", "/invoices/a", "Get Blob Properties: " + containers + "blobs/read", "invoices"},
		{Blob, "DELETE", "/invoices/a", "Delete Blob: " + containers + "blobs/delete", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=copy&copyid=1", "Abort Copy Blob: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=properties", "Set Blob Properties: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=metadata", "Set Blob Metadata: " + containers + "blobs/write", "invoices"},
		{Blob, "GET", "/invoices/a?comp=tags", "Get Blob Tags: " + containers + "blobs/tags/read", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=tags", "Set Blob Tags: " + containers + "blobs/tags/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=tier", "Set Blob Tier: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=lease", "Lease Blob: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=snapshot", "Snapshot Blob: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=block&blockid=MQ%3D%3D", "Put Block: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=blocklist", "Put Block List: " + containers + "blobs/write", "invoices"},
		{Blob, "GET", "/invoices/a?comp=blocklist&blocklisttype=all", "Get Block List: " + containers + "blobs/read", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=page", "Put Page: " + containers + "blobs/write", "invoices"},
		{Blob, "GET", "/invoices/a?comp=pagelist", "Get Page Ranges: " + containers + "blobs/read", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=appendblock", "Append Block: " + containers + "blobs/write", "invoices"},
		{Blob, "PUT", "/invoices/a?comp=seal", "Append Blob Seal: " + containers + "blobs/write", "invoices"},

		{Queue, "GET", "/?comp=list", "List Queues: " + queues + "read", ""},
		{Queue, "GET", "/?restype=service&comp=properties", "Get Queue Service Properties: queueServices/read", ""},
		{Queue, "PUT", "/?restype=service&comp=properties", "Set Queue Service Properties: queueServices/write", ""},
		{Queue, "GET", "/?restype=service&comp=stats", "Get Queue Service Stats: queueServices/read", ""},
		{Queue, "PUT", "/jobs", "Create Queue: " + queues + "write", "jobs"},
		{Queue, "DELETE", "/jobs", "Delete Queue: " + queues + "delete", "jobs"},
		{Queue, "HEAD", "/jobs?comp=metadata", "Get Queue Metadata: " + queues + "read", "jobs"},
		{Queue, "PUT", "/jobs?comp=metadata", "Set Queue Metadata: " + queues + "write", "jobs"},
		{Queue, "GET", "/jobs/messages?peekonly=true", "Peek Messages: " + queues + "messages/read", "jobs"},
		{Queue, "GET", "/jobs/messages", "Get Messages: " + queues + "messages/process/action or " + queues + "messages/read and " + queues + "messages/delete", "jobs"},
		{Queue, "GET", "/jobs/messages?peekonly=True", "Get Messages: " + queues + "messages/process/action or " + queues + "messages/read and " + queues + "messages/delete", "jobs"},
		{Queue, "POST", "/jobs/messages?messagettl=60", "Put Message: " + queues + "messages/add/action or " + queues + "messages/write", "jobs"},
		{Queue, "DELETE", "/jobs/messages", "Clear Messages: " + queues + "messages/delete", "jobs"},
		{Queue, "PUT", "/jobs/messages/8f-1?popreceipt=a%2B&visibilitytimeout=1", "Update Message: " + queues + "messages/write", "jobs"},
		{Queue, "DELETE", "/jobs/messages/8f-1?popreceipt=a", "Delete Message: " + queues + "messages/process/action or " + queues + "messages/delete", "jobs"},

		{Table, "GET", "/?restype=service&comp=properties", "Get Table Service Properties: tableServices/read", ""},
		{Table, "PUT", "/?restype=service&comp=properties", "Set Table Service Properties: tableServices/write", ""},
		{Table, "GET", "/?restype=service&comp=stats", "Get Table Service Stats: tableServices/read", ""},
		{Table, "GET", "/Tables?$filter=a&%24top=1", "Query Tables: " + tables + "read", ""},
		{Table, "GET", "/Tables()", "Query Tables: " + tables + "read", ""},
		{Table, "POST", "/Tables", "Create Table: " + tables + "write", ""},
		{Table, "DELETE", "/Tables('Bills')", "Delete Table: " + tables + "delete", "Bills"},
		{Table, "GET", "/Bills()?$filter=PartitionKey%20eq%20'a'", "Query Entities: " + tables + "entities/read", "Bills"},
		{Table, "GET", "/Bills", "Query Entities: " + tables + "entities/read", "Bills"},
		{Table, "POST", "/Bills", "Insert Entity: " + tables + "entities/add/action or " + tables + "entities/write", "Bills"},
		{Table, "GET", "/Bills(PartitionKey='a',RowKey='it''s')", "Get Entity: " + tables + "entities/read", "Bills"},
		{Table, "PUT", "/Bills(PartitionKey='a',RowKey='b')", "Update Entity: " + tables + "entities/write", "Bills"},
		{Table, "PATCH", "/Bills(PartitionKey='',RowKey='')", "Merge Entity: " + tables + "entities/write", "Bills"},
		{Table, "DELETE", "/Bills(PartitionKey='a',RowKey='b')", "Delete Entity: " + tables + "entities/delete", "Bills"},
	} {
		got, name := ask(test.service, test.method, test.address, http.Header{})
		if got != test.want || name != test.name {
			t.Errorf("%s %s %s: %s of %q, want %s of %q", test.service, test.method, test.address, got, name, test.want, test.name)
		}
		operation, _, _ := strings.Cut(got, ":")
		tested[operation] = true
	}
	for what, header := range map[string]struct {
		header http.Header
		want   string
	}{
		"a copy":                {http.Header{"X-Ms-Copy-Source": {"x"}}, "Copy Blob: " + containers + "blobs/write"},
		"a copy of tags":        {http.Header{"X-Ms-Copy-Source": {"x"}, "X-Ms-Copy-Source-Tag-Option": {"COPY"}}, "Copy Blob: " + containers + "blobs/write and " + containers + "blobs/tags/write"},
		"a blob with tags":      {http.Header{"X-Ms-Blob-Type": {"BlockBlob"}, "X-Ms-Tags": {"a=b"}}, "Put Blob: " + containers + "blobs/write and " + containers + "blobs/tags/write"},
		"a condition of tags":   {http.Header{"X-Ms-Blob-Type": {"BlockBlob"}, "X-Ms-If-Tags": {"a=b"}}, "Put Blob: " + containers + "blobs/write and " + containers + "blobs/tags/read"},
		"a blob from elsewhere": {http.Header{"X-Ms-Blob-Type": {"BlockBlob"}, "X-Ms-Copy-Source": {"x"}}, "501 NotImplemented"},
	} {
		got, _ := ask(Blob, "PUT", "/invoices/a", header.header)
		if got != header.want {
			t.Errorf("%s: %s, want %s", what, got, header.want)
		}
		operation, _, _ := strings.Cut(got, ":")
		tested[operation] = true
	}
	for service, all := range operations {
		for _, one := range all {
			if !tested[one.name] {
				t.Errorf("%s of %s is not tested", one.name, service)
			}
		}
	}
}

func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		service               Service
		method, address, want string
	}{
		{Blob, "OPTIONS", "/invoices/a", "400 UnsupportedHttpVerb"},
		{Blob, "PATCH", "/invoices/a", "400 UnsupportedHttpVerb"},
		{Blob, "TRACE", "/", "400 UnsupportedHttpVerb"},
		{Blob, "GET", "/invoices", "400 UnsupportedHttpVerb"},
		{Blob, "DELETE", "/invoices", "400 UnsupportedHttpVerb"},
		{Blob, "GET", "/invoices?comp=list", "400 UnsupportedHttpVerb"},
		{Blob, "GET", "/invoices?restype=container&comp=acl", "400 UnsupportedHttpVerb"},
		{Blob, "PUT", "/invoices?restype=container&comp=acl", "400 UnsupportedHttpVerb"},
		{Blob, "PUT", "/invoices/a?comp=immutabilityPolicies", "400 UnsupportedHttpVerb"},
		{Blob, "PUT", "/invoices/a?comp=expiry", "400 UnsupportedHttpVerb"},
		{Blob, "GET", "/invoices/a?comp=unknown", "400 UnsupportedHttpVerb"},
		{Blob, "GET", "/invoices/a?restype=container", "400 UnsupportedHttpVerb"},
		{Blob, "POST", "/?restype=service&comp=userdelegationkey", "400 UnsupportedHttpVerb"},
		{Blob, "POST", "/?comp=batch", "501 NotImplemented"},
		{Blob, "POST", "/invoices?restype=container&comp=batch", "501 NotImplemented"},
		{Blob, "GET", "/invoices/a?comp=list&comp=tags", "400 InvalidQueryParameterValue"},
		{Blob, "GET", "/invoices/a?Comp=tags", "400 UnsupportedQueryParameter"},
		{Blob, "GET", "/invoices/a?comp[]=tags", "400 UnsupportedQueryParameter"},
		{Blob, "GET", "/invoices/a?versionid=1", "400 UnsupportedQueryParameter"},
		{Blob, "DELETE", "/invoices/a?deletetype=permanent", "400 UnsupportedQueryParameter"},
		{Blob, "GET", "/invoices/a?x=1", "400 UnsupportedQueryParameter"},
		{Blob, "GET", "/invoices/a?comp=tags;x", "400 InvalidQueryParameterValue"},
		{Blob, "GET", "/invoices/a?comp=%zz", "400 InvalidQueryParameterValue"},
		{Blob, "GET", "/invoices/a?prefix=%0d%0a", "400 InvalidQueryParameterValue"},
		{Queue, "GET", "/jobs?comp=list", "400 UnsupportedHttpVerb"},
		{Queue, "GET", "/jobs?restype=service&comp=properties", "400 UnsupportedHttpVerb"},
		{Queue, "GET", "/jobs?comp=acl", "400 UnsupportedHttpVerb"},
		{Queue, "GET", "/jobs/messages/1", "400 UnsupportedHttpVerb"},
		{Queue, "POST", "/jobs", "400 UnsupportedHttpVerb"},
		{Table, "POST", "/$batch", "501 NotImplemented"},
		{Table, "GET", "/Tables('Bills')", "400 UnsupportedHttpVerb"},
		{Table, "GET", "/Bills?comp=acl", "400 UnsupportedHttpVerb"},
		{Table, "POST", "/Bills(PartitionKey='a',RowKey='b')", "400 UnsupportedHttpVerb"},
		{Table, "DELETE", "/Bills", "400 UnsupportedHttpVerb"},
		{Table, "PUT", "/Bills", "400 UnsupportedHttpVerb"},
	} {
		if got, _ := ask(test.service, test.method, test.address, http.Header{}); got != test.want {
			t.Errorf("%s %s %s: %s, want %s", test.service, test.method, test.address, got, test.want)
		}
	}
}

// No path leads to another container, queue or table than the one that it seems to.
func TestRefusedPaths(t *testing.T) {
	t.Parallel()
	for service, paths := range map[Service][]string{
		Blob: {
			"/../secrets/a", "/invoices/../secrets/a", "/invoices/..%2fsecrets/a", "/invoices/%2e%2e/secrets/a", "/invoices%2f..%2fsecrets%2fa",
			"/invoices/..%5c..%5csecrets/a", "/invoices/a/./b", "/invoices/.", "/./invoices/a", "//invoices/a", "/%2finvoices/a", "/Invoices/a", "/in/a",
			"/in--voices/a", "/-invoices/a", "/invoices-/a", "/invoices%00/a", "/invoices/a%0db", "/invoices/%ff", "/" + strings.Repeat("a", 64) + "/b",
			"/$other/a", "/invoices/" + strings.Repeat("a", 1025), "/%5cinvoices/a", "/invoices%5c/a", "/inv%6fices%20/a", "/invoices%3frestype=container/a",
		},
		Queue: {
			"/jobs/", "/jobs/other", "/jobs/messages/", "/jobs/messages/1/2", "/jobs/../other/messages", "/jobs%2f..%2fother", "/Jobs", "/jo", "//jobs/messages",
			"/jobs/messages/a%2fb", "/jobs/messages/a%20b", "/jobs/Messages", "/" + strings.Repeat("a", 64),
		},
		Table: {
			"/tables", "/TABLES", "/Tables('tables')", "/Tables('Bills'", "/Tables(Bills)", "/Tables('Bills')x", "/Tables('a'')", "/Bills/x", "/Bills(", "/Bills)(",
			"/Bills('a')", "/Bills(PartitionKey='a')", "/Bills(RowKey='a',PartitionKey='b')", "/Bills(PartitionKey='a/b',RowKey='c')", "/../Bills", "/Bills/../Other",
			"/Bills(PartitionKey='a',RowKey='b')/Other", "/Bills(PartitionKey='a',RowKey='b'),Other(PartitionKey='a',RowKey='b')", "/1Bills", "/Bi", "/My-Bills",
			"/Bills(PartitionKey='a'',RowKey='b')", "/$batch2", "/Bills%00", "/Bills%20()",
		},
	} {
		for _, path := range paths {
			parsed, err := url.ParseRequestURI(path)
			if err != nil {
				continue
			}
			if at, err := parsePath(service, parsed.Path); err == nil {
				t.Errorf("%s %s leads to %+v", service, path, at)
			}
		}
	}
}

func TestBackslashIsASlash(t *testing.T) {
	t.Parallel()
	got, err := parsePath(Blob, `/invoices/a\b`)
	if diff := cmp.Diff(target{inContainer, "invoices", "a/b"}, got, cmp.AllowUnexported(target{})); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// All of a set are needed, and any of the sets is enough.
func TestIsAllowed(t *testing.T) {
	t.Parallel()
	at := role.Scope{Namespace: "shop", StorageAccount: "orders", Object: role.Object{Kind: role.Queues, Name: "jobs"}}
	for name, test := range map[string]struct {
		operation operation
		want      bool
	}{
		"what the role has":      {operation{needs: anyOf(role.ProcessMessage)}, true},
		"either":                 {operation{needs: anyOf(role.AddMessage, role.ReadMessage)}, true},
		"neither":                {operation{needs: anyOf(role.AddMessage, role.WriteMessage)}, false},
		"both":                   {operation{needs: [][]role.Action{{role.ReadMessage, role.ProcessMessage}}}, true},
		"one of both":            {operation{needs: [][]role.Action{{role.ReadMessage, role.DeleteMessage}}}, false},
		"an unknown requirement": {operation{}, false},
	} {
		assignments := []role.Assignment{{Principal: "worker", Role: "Storage Queue Data Message Processor", Scope: at}}
		if got := test.operation.isAllowed(assignments, "worker", at); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Whatever is asked for: what passes is in one container, queue or table, and the backend finds the same one in the path, as Azurite divides it.
func FuzzOperations(f *testing.F) {
	for _, one := range []struct{ service, method, path, query string }{
		{"blob", "GET", "/invoices/a%2Fb", "snapshot=1"}, {"blob", "PUT", "/invoices/..%5ca", "comp=block&blockid=1"}, {"blob", "GET", "/", "comp=list"},
		{"queue", "GET", "/jobs/messages", "peekonly=true"}, {"table", "DELETE", "/Tables('Bills')", ""}, {"table", "GET", "/Bills(PartitionKey='a',RowKey='it''s')", "$select=a"},
	} {
		f.Add(one.service, one.method, one.path, one.query, "", "")
	}
	f.Fuzz(func(t *testing.T, service, method, path, query, source, kind string) {
		parsed, err := url.ParseRequestURI("/" + strings.TrimPrefix(path, "/") + "?" + query)
		if err != nil {
			return
		}
		header := http.Header{}
		header.Set(copySource, source)
		header.Set(blobType, kind)
		what, name := ask(Service(service), method, parsed.String(), header)
		if strings.HasPrefix(what, "4") || strings.HasPrefix(what, "5") {
			return
		}
		decoded, err := url.PathUnescape(parsed.EscapedPath())
		if err != nil || !strings.Contains(what, ": ") {
			t.Fatalf("%s passes as %s: %v", path, what, err)
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(decoded, "/"), "/")
		if Service(service) == Table {
			first, _, _ = strings.Cut(strings.TrimPrefix(first, "Tables('"), "(")
			first = strings.TrimSuffix(first, "')")
			if first == "Tables" {
				first = ""
			}
		}
		if first != name || strings.Contains(decoded, "/../") {
			t.Errorf("%s passes as %s of %q, and Azurite sees %q", path, what, name, first)
		}
	})
}
