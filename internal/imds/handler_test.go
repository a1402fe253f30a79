package imds

import (
	"net/http"
	"testing"
)

const (
	noHeaderIdentity = `{"error":"invalid_request","error_description":"Required metadata header not specified"}`
	noHeaderInstance = `{ "error": "Bad request: . Required metadata header not specified" }`
	badVersion       = `Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds`
	newest           = `"newest-versions":["2025-04-07","2024-07-17","2024-03-15"]`
)

func TestHeaderChecks(t *testing.T) {
	t.Parallel()
	const instance = instancePath + "?api-version=2021-02-01"
	for name, test := range map[string]struct {
		target, header string
		status         int
		body           string // not compared where empty
	}{
		"true":                         {tokenTarget(""), "Metadata: true", 200, ""},
		"True":                         {tokenTarget(""), "Metadata: True", 200, ""},
		"TRUE, instance":               {instance, "Metadata: TRUE", 200, ""},
		"no header, token":             {tokenTarget(""), "Metadata:", 400, noHeaderIdentity},
		"no header, nothing else":      {tokenPath, "Metadata:", 400, noHeaderIdentity},
		"no header, instance":          {instance, "Metadata:", 400, noHeaderInstance},
		"false":                        {tokenTarget(""), "Metadata: false", 400, noHeaderIdentity},
		"blank inside":                 {tokenTarget(""), "Metadata: tr ue", 400, noHeaderIdentity},
		"two values":                   {tokenTarget(""), "Metadata: true, true", 400, noHeaderIdentity},
		"forwarded, token":             {tokenTarget(""), "X-Forwarded-For: 10.0.0.1", 400, `{"error":"invalid_request","error_description":"Bad request. A request with the header X-Forwarded-For is not answered"}`},
		"forwarded, instance":          {instance, "x-forwarded-for: 10.0.0.1", 400, `{ "error": "Bad request. A request with the header X-Forwarded-For is not answered" }`},
		"forwarded by nobody":          {tokenTarget(""), "X-Forwarded-For: ", 400, ""},
		"no version, token":            {tokenPath + "?resource=r", "Metadata: true", 400, `{"error":"invalid_request","error_description":"` + badVersion + `",` + newest + `}`},
		"no version, instance":         {instancePath, "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"unknown version, instance":    {instancePath + "?api-version=2016-01-01", "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"version before the instance":  {instancePath + "?api-version=2017-03-01", "Metadata: true", 400, `{"error":"` + badVersion + `",` + newest + `}`},
		"duplicates, instance":         {instance + "&api-version=2021-02-01", "Metadata: true", 400, `{ "error": "Bad request. A query parameter was specified more than once" }`},
		"a broken escape, in instance": {instance + "&a=%", "Metadata: true", 400, `{ "error": "Bad request. The query is malformed" }`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := get(t, newIMDS().build(), test.target, test.header)
			if test.body == "" {
				test.body = got.body
			}
			got.want(t, test.status, test.body)
		})
	}
}

func TestOtherMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "get", "BREW"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			got := ask(t, newIMDS().build(), method, tokenTarget(""))
			got.want(t, http.StatusMethodNotAllowed, `{"error":"method_not_allowed","error_description":"Method not allowed"}`)
			if allow := got.header.Get("Allow"); allow != "GET" {
				t.Errorf("Allow is %q", allow)
			}
		})
	}
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	const (
		plain    = `{ "error": "Not found" }`
		identity = `{"error":"not_found","error_description":"Not found"}`
	)
	for target, body := range map[string]string{
		"/":                         plain,
		"/favicon.ico":              plain,
		"/metadata":                 plain,
		"/metadataidentity":         plain,
		"/metadata/instances":       plain,
		"/metadata/identityoauth2":  plain,
		"/metadata/scheduledevents": plain,
		"/metadata/identity":        identity,
		"/metadata/identity/oauth2": identity,
		tokenPath + "/x":            identity,
		"/metadata/identity/info":   identity,
		"*":                         plain,
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			get(t, newIMDS().build(), target).want(t, http.StatusNotFound, body)
		})
	}
}
