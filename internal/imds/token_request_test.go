package imds

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const version1 = "api-version=2018-02-01"

func TestParseTokenRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query string
		want  TokenRequest
	}{
		"the default identity":     {version1 + "&resource=r", TokenRequest{Resource: "r"}},
		"client_id":                {version1 + "&resource=r&client_id=c", TokenRequest{Resource: "r", Selector: Selector{ClientID: "c"}}},
		"object_id":                {version1 + "&resource=r&object_id=o", TokenRequest{Resource: "r", Selector: Selector{ObjectID: "o"}}},
		"principal_id":             {version1 + "&resource=r&principal_id=o", TokenRequest{Resource: "r", Selector: Selector{ObjectID: "o"}}},
		"msi_res_id":               {version1 + "&resource=r&msi_res_id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"mi_res_id":                {version1 + "&resource=r&mi_res_id=%2Fa%2fb", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"resource_id":              {version1 + "&resource=r&resource_id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"msi-res-id":               {version1 + "&resource=r&msi-res-id=/a/b", TokenRequest{Resource: "r", Selector: Selector{ResourceID: "/a/b"}}},
		"an ending slash":          {version1 + "&resource=https://storage.azure.com/", TokenRequest{Resource: "https://storage.azure.com/"}},
		"escaped":                  {version1 + "&resource=https%3A%2F%2Fa.b%2f", TokenRequest{Resource: "https://a.b/"}},
		"two slashes":              {version1 + "&resource=https://a.b//c", TokenRequest{Resource: "https://a.b//c"}},
		"a GUID":                   {version1 + "&resource=api%3A%2F%2F00000000-0000-0000-0000-000000000000", TokenRequest{Resource: "api://00000000-0000-0000-0000-000000000000"}},
		"another order":            {"client_id=c&resource=r&" + version1, TokenRequest{Resource: "r", Selector: Selector{ClientID: "c"}}},
		"names in another case":    {"API-Version=2018-02-01&Resource=R&Client_ID=C", TokenRequest{Resource: "R", Selector: Selector{ClientID: "C"}}},
		"parameters of no meaning": {version1 + "&resource=r&authority=x&n=", TokenRequest{Resource: "r"}},
		"past the cache":           {version1 + "&resource=r&bypass_cache=true", TokenRequest{Resource: "r", BypassCache: true}},
		"not past the cache":       {version1 + "&resource=r&bypass_cache=False", TokenRequest{Resource: "r"}},
		"a later version":          {"api-version=2025-04-07&resource=r", TokenRequest{Resource: "r"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, refusal := parseTokenRequest(test.query)
			if refusal != nil {
				t.Fatal(refusal)
			}
			if difference := cmp.Diff(test.want, got); difference != "" {
				t.Error("(-want +got):\n" + difference)
			}
		})
	}
}

func TestParseTokenRequestRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ query, why string }{
		"nothing at all":              {"", "api-version"},
		"no version":                  {"resource=r", "api-version"},
		"an empty version":            {"api-version=&resource=r", "api-version"},
		"an unknown version":          {"api-version=2018-02-02&resource=r", "api-version"},
		"a version before identities": {"api-version=2017-12-01&resource=r", "api-version"},
		"a version of the future":     {"api-version=2099-01-01&resource=r", "api-version"},
		"no resource":                 {version1, "audience"},
		"an empty resource":           {version1 + "&resource=", "audience"},
		"a resource twice":            {version1 + "&resource=r&resource=r", "more than once"},
		"a version twice":             {version1 + "&" + version1 + "&resource=r", "more than once"},
		"a resource in two cases":     {version1 + "&resource=r&Resource=s", "more than once"},
		"an ID in two cases":          {version1 + "&resource=r&client_id=c&CLIENT_ID=c", "more than once"},
		"an unknown name twice":       {version1 + "&resource=r&x=1&x=2", "more than once"},
		"two kinds of ID":             {version1 + "&resource=r&client_id=c&object_id=o", "Only one"},
		"two spellings of one ID":     {version1 + "&resource=r&msi_res_id=a&mi_res_id=a", "Only one"},
		"an empty ID":                 {version1 + "&resource=r&client_id=", "no value"},
		"an empty ID after another":   {version1 + "&resource=r&client_id=c&object_id=", "Only one"},
		"a flag that is none":         {version1 + "&resource=r&bypass_cache=yes", "true or false"},
		"a broken escape":             {version1 + "&resource=%zz", "malformed"},
		"a semicolon":                 {version1 + ";resource=r", "malformed"},
		"a NUL":                       {version1 + "&resource=a%00b", "not text"},
		"a line break":                {version1 + "&resource=a%0d%0ab", "not text"},
		"not UTF-8":                   {version1 + "&resource=%ff", "not text"},
		"too long":                    {version1 + "&resource=" + strings.Repeat("r", maxQueryBytes), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, refusal := parseTokenRequest(test.query)
			if refusal == nil {
				t.Fatalf("it is read as %+v", got)
			}
			if refusal.Status != http.StatusBadRequest || !contains(refusal.Description, test.why) {
				t.Errorf("the refusal is %d %s", refusal.Status, refusal.Description)
			}
		})
	}
}

func contains(text, part string) bool { return strings.Contains(text, part) }

func TestQueriesOfManyParameters(t *testing.T) {
	t.Parallel()
	// api-version and resource are two of them.
	for more, want := range map[int]int{maxParameters - 2: 200, maxParameters - 1: 400} {
		target := tokenTarget("")
		for i := range more {
			target += fmt.Sprintf("&x%d=", i)
		}
		if got := get(t, newIMDS().build(), target); got.status != want {
			t.Errorf("with %d more parameters: %d %s", more, got.status, got.body)
		}
	}
}
