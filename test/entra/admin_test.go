package entra

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tell sends a request to the admin interface and returns its status and body.
func (w *world) tell(t *testing.T, admin *httptest.Server, method, path string, body any) (int, string) {
	t.Helper()
	text, isText := body.(string)
	if !isText {
		content, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(content)
	}
	sent, err := http.NewRequestWithContext(t.Context(), method, admin.URL+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := admin.Client().Do(sent)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	content, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(content)
}

// A test in another process sends the values of this package as JSON.
func TestAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := httptest.NewServer(w.Admin())
	t.Cleanup(admin.Close)
	want := func(status int, method, path string, body any) string {
		t.Helper()
		got, answered := w.tell(t, admin, method, path, body)
		if got != status {
			t.Fatalf("%s %s: got %d %s, want %d", method, path, got, answered, status)
		}
		return answered
	}
	wantToken := func(code int, changes ...func(*request)) {
		t.Helper()
		if got := w.ask(t, changes...); got.code() != code || (got.status == http.StatusOK) != (code == 0) {
			t.Errorf("got %d %s, want %d", got.status, got.raw, code)
		}
	}
	toBills := with("client_id", bills)

	wantToken(700016, toBills)
	want(204, "POST", "/identities", []Identity{{TenantID: tenant, ClientID: bills, Credentials: []Credential{w.credential("/cluster")}}})
	wantToken(0, toBills)
	want(204, "PUT", "/faults", []Fault{{ClientID: bills, Times: 1, Code: 90033, Delay: time.Millisecond}})
	wantToken(0)
	wantToken(90033, toBills)
	wantToken(0, toBills)
	want(204, "PUT", "/faults", `[{"times": -1, "clockOffset": "-5s"}]`)
	wantToken(700024)
	want(204, "PUT", "/faults", `[]`)
	wantToken(0)

	want(204, "PUT", "/faults", `[{"times": 1, "hold": true}]`)
	done := make(chan response)
	go func() {
		got, _ := w.try(t)
		done <- got
	}()
	w.awaitHeld(t, 1)
	want(204, "POST", "/release", "")
	if got := <-done; got.status != http.StatusOK {
		t.Errorf("a held request: got %d %s", got.status, got.raw)
	}

	var stats Stats
	if err := json.Unmarshal([]byte(want(200, "GET", "/stats", "")), &stats); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Stats(), stats); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	var requests []Request
	if err := json.Unmarshal([]byte(want(200, "GET", "/requests", "")), &requests); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Requests(), requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}

	want(204, "DELETE", "/identities/"+bills, "")
	wantToken(700016, toBills)
	wantToken(0)
}

func TestAdminRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := httptest.NewServer(w.Admin())
	t.Cleanup(admin.Close)
	for name, test := range map[string]struct {
		method, path string
		body         any
		want         int
	}{
		"client is a word":    {"POST", "/identities", []Identity{{TenantID: tenant, ClientID: "bills"}}, 400},
		"not JSON":            {"POST", "/identities", "x", 400},
		"unknown member":      {"POST", "/identities", `[{"tenantID": "` + tenant + `", "clientID": "` + bills + `", "secret": "x"}]`, 400},
		"two megabytes":       {"POST", "/identities", `["` + strings.Repeat("x", 2<<20) + `"]`, 400},
		"unknown member too":  {"PUT", "/faults", `[{"wait": "1s"}]`, 400},
		"duration is a count": {"PUT", "/faults", `[{"delay": 1}]`, 400},
		"101 faults":          {"PUT", "/faults", make([]Fault, 101), 400},
		"100 faults":          {"PUT", "/faults", make([]Fault, 100), 204},
		"path of the server":  {"POST", "/" + tenant + "/oauth2/v2.0/token", "", 404},
		"method":              {"POST", "/stats", "", 405},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, body := w.tell(t, admin, test.method, test.path, test.body); got != test.want {
				t.Errorf("got %d %s, want %d", got, body, test.want)
			}
		})
	}
	if got := w.get(t, "/stats"); got.status != http.StatusNotFound {
		t.Errorf("the authority serves the admin interface: %d", got.status)
	}
}
