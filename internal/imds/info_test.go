package imds

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]Selector{
		"":                {},
		"&client_id=c":    {ClientID: "c"},
		"&Object_ID=o":    {ObjectID: "o"},
		"&msi_res_id=/a":  {ResourceID: "/a"},
		"&resource=r&x=y": {},
	} {
		var asked []Selector
		imds := newIMDS()
		imds.identities = func(selector Selector) (*Identity, error) {
			asked = append(asked, selector)
			return &Identity{TenantID: sampleTenant}, nil
		}
		get(t, imds.build(), infoPath+"?api-version=2018-02-01"+query).want(t, http.StatusOK, `{"tenantId":"`+sampleTenant+`"}`)
		if difference := cmp.Diff([]Selector{want}, asked); difference != "" {
			t.Errorf("%q (-want +got):\n%s", query, difference)
		}
	}
}

func TestInfoIsRefused(t *testing.T) {
	t.Parallel()
	const version = "?api-version=2018-02-01"
	notFound := &Error{Status: 400, Code: "invalid_request", Description: "Identity not found"}
	for target, body := range map[string]string{
		infoPath + "?api-version=2017-12-01": `{"error":"invalid_request","error_description":"` + badVersion + `",` + newest + `}`,
		infoPath:                             `{"error":"invalid_request","error_description":"` + badVersion + `",` + newest + `}`,
		infoPath + version + "&client_id=c&object_id=o": `{"error":"invalid_request","error_description":"Only one of client_id, object_id and msi_res_id can be specified"}`,
		infoPath + version + "&a=%":                     `{"error":"invalid_request","error_description":"Bad request. The query is malformed"}`,
		infoPath + version + "&client_id=unknown":       `{"error":"invalid_request","error_description":"Identity not found"}`,
	} {
		get(t, newIMDS().failingWith(notFound).build(), target).want(t, http.StatusBadRequest, body)
	}
	get(t, newIMDS().build(), infoPath+version, "Metadata:").want(t, http.StatusBadRequest, noHeaderIdentity)
}
