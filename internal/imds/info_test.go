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
