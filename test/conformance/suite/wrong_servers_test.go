package suite

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ran runs the cases that options choose, and returns the results.
func ran(t *testing.T, target Target, options Options) []Result {
	t.Helper()
	results, err := Run(t.Context(), target, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatal("no case is chosen")
	}
	return results
}

// wantFailure expects a case to fail.
func wantFailure(t *testing.T, target Target, name string) {
	t.Helper()
	only := regexp.MustCompile(`^` + regexp.QuoteMeta(name) + `$`)
	for _, result := range ran(t, target, Options{Only: only}) {
		if result.Outcome != Failed {
			t.Errorf("did not fail: %s, answers %v", result, result.answers)
		}
	}
}

// A mistake makes a server respond wrongly.
type mistake func(http.Handler) http.Handler

// mistaken changes answers.
func mistaken(change func(w *httptest.ResponseRecorder, r *http.Request) (body string)) mistake {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			next.ServeHTTP(recorder, r)
			body := change(recorder, r)
			for name, values := range recorder.Header() {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(recorder.Code)
			_, _ = w.Write([]byte(body))
		})
	}
}

// saying changes a part of bodies.
func saying(pattern, replacement string) mistake {
	expression := regexp.MustCompile(pattern)
	return mistaken(func(w *httptest.ResponseRecorder, _ *http.Request) string {
		return expression.ReplaceAllString(w.Body.String(), replacement)
	})
}

// withHeader changes a header. An empty value removes it.
func withHeader(name, value string) mistake {
	return mistaken(func(w *httptest.ResponseRecorder, _ *http.Request) string {
		w.Header().Set(name, value)
		if value == "" {
			w.Header().Del(name)
		}
		return w.Body.String()
	})
}

// withStatus replaces a status by another.
func withStatus(one, other int) mistake {
	return mistaken(func(w *httptest.ResponseRecorder, _ *http.Request) string {
		if w.Code == one {
			w.Code = other
		}
		return w.Body.String()
	})
}

// misreading changes requests before they are answered.
func misreading(change func(*http.Request)) mistake {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// misreadingTarget changes a part of targets.
func misreadingTarget(pattern, replacement string) mistake {
	expression := regexp.MustCompile(pattern)
	return misreading(func(r *http.Request) { r.RequestURI = expression.ReplaceAllString(r.RequestURI, replacement) })
}

func unescapingPaths(r *http.Request) {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if unescaped, err := url.PathUnescape(path); err == nil {
		r.RequestURI = unescaped + "?" + query
	}
}

// forwarding forwards some paths to another server.
func forwarding(prefix string) mistake {
	return mistaken(func(w *httptest.ResponseRecorder, r *http.Request) string {
		if strings.HasPrefix(r.RequestURI, prefix) {
			w.Code = http.StatusOK
		}
		return w.Body.String()
	})
}

// For each mistake of a server a case fails.
func TestSuiteFindsMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mistake mistake
		failing string
	}{
		// Which requests are answered.
		"answers without the header":           {misreading(func(r *http.Request) { r.Header.Set("Metadata", "true") }), "identity/token/no-header"},
		"answers without the header, instance": {misreading(func(r *http.Request) { r.Header.Set("Metadata", "true") }), "instance/no-header"},
		"answers to false":                     {misreading(func(r *http.Request) { r.Header.Set("Metadata", "true") }), "attested/header-false"},
		"wants true in lower case": {misreading(func(r *http.Request) {
			if r.Header.Get("Metadata") != "true" {
				r.Header.Del("Metadata")
			}
		}), "headers/Metadata-True"},
		"answers forwarded requests":  {misreading(func(r *http.Request) { r.Header.Del("X-Forwarded-For") }), "identity/token/forwarded"},
		"answers browsers":            {misreading(func(r *http.Request) { r.Header.Del("Origin") }), "identity/token/from-a-browser"},
		"answers proxies":             {misreading(func(r *http.Request) { r.Header.Del("Via") }), "identity/token/by-a-proxy"},
		"ignores Forwarded":           {misreading(func(r *http.Request) { r.Header.Del("Forwarded") }), "headers/forwarded-by-rfc-7239"},
		"answers any host":            {misreading(func(r *http.Request) { r.Host = "" }), "headers/host-foreign"},
		"takes the last of two names": {misreadingTarget(`n=1&`, ``), "instance/duplicate-name"},
		"403 without the header":      {withStatus(400, 403), "identity/token/probe/go"},

		// Paths and methods.
		"forwards unknown paths":          {forwarding("/metadata/nothing"), "paths/unknown"},
		"forwards paths outside":          {forwarding("/latest"), "paths/outside/no-header"},
		"unescapes paths":                 {misreading(unescapingPaths), "paths/hidden/escaped-letter"},
		"reads backslashes as slashes":    {misreadingTarget(`\\`, `/`), "paths/hidden/backslashes"},
		"resolves dots":                   {misreadingTarget(`/x/\.\.`, ``), "paths/hidden/dots"},
		"refuses trailing slashes":        {misreadingTarget(`/\?`, `/x?`), "paths/trailing-slash/instance"},
		"knows IMDSv2 without its header": {withStatus(404, 400), "paths/getplatformmetadata/no-header"},
		"answers POST":                    {misreading(func(r *http.Request) { r.Method = "GET" }), "identity/token/method/POST"},
		"answers HEAD":                    {misreading(func(r *http.Request) { r.Method = "GET" }), "instance/method/HEAD"},
		"has no Allow":                    {withHeader("Allow", ""), "versions/method/PUT"},
		"closes the connection":           {withHeader("Connection", "close"), "connections/kept-alive"},
		"reads a body as a request":       {misreadingTarget(`n=1`, `n=1&n=1`), "malformed/smuggled/in-a-body"},

		// Headers and shapes of answers.
		"another Server":                 {withHeader("Server", "nginx"), "instance/headers"},
		"another Content-Type":           {withHeader("Content-Type", "application/json"), "identity/token/fields"},
		"one request ID for all":         {withHeader("X-Ms-Request-Id", sampleClientID), "headers/request-id"},
		"no request ID":                  {withHeader("X-Ms-Request-Id", ""), "instance/document"},
		"Retry-After with a success":     {withHeader("Retry-After", "1"), "identity/token/bearer"},
		"Retry-After with a refusal":     {withHeader("Retry-After", "1"), "identity/token/no-header"},
		"a last newline":                 {saying(`$`, "\n"), "instance/document"},
		"blanks in JSON":                 {saying(`,`, ", "), "instance/document"},
		"no blanks in errors":            {saying(`^\{ (.*) \}$`, "{$1}"), "instance/no-header"},
		"one shape of errors":            {saying(`^\{"error":"invalid_request","error_description":(.*)\}$`, `{ "error": $1 }`), "identity/token/no-header"},
		"the word unreachable":           {saying(`Not found`, "unreachable"), "paths/unknown"},
		"404 for an unknown version":     {withStatus(400, 404), "instance/api-version/unknown"},
		"does not name newest versions":  {saying(`newest-versions`, "versions"), "paths/metadata/no-version"},
		"other newest versions":          {saying(`2024-03-15`, "2023-11-15"), "instance/api-version/missing"},
		"a version is missing":           {saying(`"2019-06-04",`, ""), "versions/all"},
		"the newest version first":       {saying(`"2017-03-01",(.*)"2025-04-07"`, `"2025-04-07",$1"2017-03-01"`), "versions/ascending"},
		"another error for the default":  {saying(`Identity not found`, "No such identity"), "identity/selector/client_id/unknown"},
		"an error without a description": {saying(`,"error_description":"[^"]*"`, ""), "identity/selector/all-three"},

		// Tokens.
		"fields in another order":       {saying(`"expires_in":("\d+"),"expires_on":("\d+")`, `"expires_on":$2,"expires_in":$1`), "identity/token/fields"},
		"numbers":                       {saying(`"(\d{2,})"`, "$1"), "identity/token/digits"},
		"a refresh token":               {saying(`,"resource"`, `,"refresh_token":"","resource"`), "identity/token/no-refresh-token"},
		"a resource without its slash":  {saying(`/","token_type"`, `","token_type"`), "identity/token/resource/ending-slash"},
		"bearer in lower case":          {saying(`"Bearer"`, `"bearer"`), "identity/token/bearer"},
		"a token that soon expires":     {saying(`"expires_in":"\d+"`, `"expires_in":"200"`), "identity/token/five-minutes-left"},
		"times that do not agree":       {saying(`"expires_in":"\d+"`, `"expires_in":"200"`), "identity/token/times"},
		"an opaque token":               {saying(`"access_token":"[^"]*"`, `"access_token":"x"`), "identity/token/jwt"},
		"the default for an unknown ID": {misreadingTarget(`&client_id=[^&]*`, ``), "identity/selector/client_id/unknown"},
		"the first of two selectors":    {misreadingTarget(`&object_id=[^&]*`, ``), "identity/selector/of-one-identity/client_id+object_id"},
		"does not know resource_id":     {misreadingTarget(`&resource_id=[^&]*`, ``), "identity/selector/resource_id/unknown"},
		"the tenant is no GUID":         {saying(`"tenantId":"[^"]*"`, `"tenantId":"common"`), "identity/info/tenant"},

		// Instance metadata.
		"one document for all versions": {misreadingTarget(`api-version=2017-04-02`, `api-version=2025-04-07`), "instance/version/2017-04-02"},
		"one network for all versions":  {misreadingTarget(`api-version=2017-03-01`, `api-version=2017-04-02`), "instance/version/2017-03-01/interface"},
		"a field is missing":            {saying(`"tagsList":\[[^\]]*\],`, ``), "instance/version/2019-06-04"},
		"a boolean":                     {saying(`"(true|false)"`, `$1`), "instance/compute"},
		"another order":                 {saying(`"vmSize":("[^"]*"),"zone":("[^"]*")`, `"zone":$2,"vmSize":$1`), "instance/document"},
		"JSON for a leaf":               {misreadingTarget(`vmId\?api-version=2021-02-01$`, `vmId?api-version=2021-02-01&format=text`), "instance/leaf/no-format"},
		"quotes around a leaf":          {saying(`^(.*)$`, `"$1"`), "instance/leaf/text"},
		"a listing without slashes":     {saying(`/(\n|$)`, `$1`), "instance/listing"},
		"ignores format":                {misreadingTarget(`format=xml`, `format=json`), "instance/format-xml"},
		"nothing for an unknown index":  {withStatus(404, 200), "instance/index/out-of-range"},
		"tags that disagree":            {saying(`"tags":"[^"]*"`, `"tags":""`), "instance/values/tags"},
		"a MAC address with colons":     {saying(`^6045BDC89987$`, `60:45:BD:C8:99:87`), "instance/network/mac"},

		// Scheduled events and load balancers.
		"an incarnation as a string":   {saying(`"DocumentIncarnation":(\d+)`, `"DocumentIncarnation":"$1"`), "scheduledevents/document"},
		"an incarnation that falls":    {falling(), "scheduledevents/incarnation"},
		"fields of a later version":    {misreadingTarget(`api-version=2017-08-01`, `api-version=2020-07-01`), "scheduledevents/version/2017-08-01"},
		"types of a later version":     {saying(`"EventType":"Redeploy"`, `"EventType":"Preempt"`), "scheduledevents/version/2017-08-01"},
		"IDs in lower case":            {saying(`C7061BAC`, `c7061bac`), "scheduledevents/event/EventId"},
		"a duration as a string":       {saying(`"DurationInSeconds":-1`, `"DurationInSeconds":"-1"`), "scheduledevents/event/Duration"},
		"ISO 8601":                     {saying(`"NotBefore":"[^"]+"`, `"NotBefore":"2024-03-07T11:08:00Z"`), "scheduledevents/event/NotBefore"},
		"a time after the start":       {saying(`"NotBefore":""`, `"NotBefore":"Thu, 07 Mar 2024 11:08:00 GMT"`), "scheduledevents/event/NotBefore/started"},
		"accepts what is not JSON":     {withStatus(400, 200), "scheduledevents/start/no-json"},
		"versions of the instance":     {misreadingTarget(`2021-02-01`, `2020-07-01`), "scheduledevents/version/of-instance"},
		"ports as strings":             {saying(`Port":(\d+)`, `Port":"$1"`), "loadbalancer/inboundRules"},
		"other names of load balancer": {saying(`publicIpAddresses`, `publicIPAddresses`), "loadbalancer/document-or-none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := serve(t, test.mistake(fixedHandler()))
			wantFailure(t, target, test.failing)
		})
	}
}

// falling counts incarnations down.
func falling() mistake {
	incarnation := 9
	return mistaken(func(w *httptest.ResponseRecorder, _ *http.Request) string {
		incarnation--
		return strings.Replace(w.Body.String(), `"DocumentIncarnation":2`, `"DocumentIncarnation":`+strconv.Itoa(incarnation), 1)
	})
}

// Go's own server answers malformed requests in plain text.
func TestSuiteFindsTheServersOwnErrors(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(fixedHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Start()
	t.Cleanup(server.Close)
	for _, name := range []string{"malformed/line/one-word", "malformed/header/no-host", "malformed/body/unknown-encoding"} {
		wantFailure(t, Target{URL: server.URL, Resource: sampleResource}, name)
	}
}

func TestSuiteDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	only := regexp.MustCompile(`^instance/document$`)
	for _, result := range ran(t, Target{URL: "http://" + silent.Addr().String()}, Options{Only: only, Timeout: 20 * time.Millisecond}) {
		if result.Outcome != Failed {
			t.Error(result)
		}
	}
}
