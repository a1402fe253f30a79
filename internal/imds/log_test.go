package imds

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// logged returns the one line that a request leaves in a log of a level.
func logged(t *testing.T, method, target string, headers ...string) map[string]any {
	t.Helper()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	clock := recordedNow
	ask(t, LogRequests(newIMDS().build(), logger, func() time.Time {
		clock = clock.Add(1500 * time.Microsecond)
		return clock
	}), method, target, headers...)
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("%v in %s", err, log.Bytes())
	}
	delete(line, "time")
	return line
}

func TestRequestsAreLogged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, target string
		headers        []string
		want           map[string]any
	}{
		"token": {"GET", tokenTarget(""), []string{"User-Agent: azsdk-go", "x-client-SKU: MSAL.Go"}, map[string]any{
			"method": "GET", "target": tokenTarget(""), "userAgent": "azsdk-go", "clientSKU": "MSAL.Go", "metadata": true, "status": 200.,
		}},
		"probe": {"GET", tokenPath, []string{"Metadata:"}, map[string]any{
			"method": "GET", "target": tokenPath, "userAgent": "", "clientSKU": "", "metadata": false, "status": 400.,
		}},
		"header with another value": {"POST", instancePath, []string{"Metadata: yes"}, map[string]any{
			"method": "POST", "target": instancePath, "userAgent": "", "clientSKU": "", "metadata": false, "status": 400.,
		}},
		"unknown path, not normalized": {"GET", "//Nothing%2f?a=%zz", nil, map[string]any{
			"method": "GET", "target": "//Nothing%2f?a=%zz", "userAgent": "", "clientSKU": "", "metadata": true, "status": 404.,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want["level"], test.want["msg"], test.want["milliseconds"] = "DEBUG", "request", 1.5
			if diff := cmp.Diff(test.want, logged(t, test.method, test.target, test.headers...)); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogLinesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 4<<10)
	line := logged(t, "GET", "/"+long, "User-Agent: "+long, "x-client-SKU: "+long)
	for field, most := range map[string]int{"target": maxLoggedTarget, "userAgent": maxLoggedHeader, "clientSKU": maxLoggedHeader} {
		value := line[field].(string)
		if len(value) > most+len("…") || strings.ContainsRune(value, '\uFFFD') || !strings.HasSuffix(value, "é…") {
			t.Errorf("%s has %d bytes and ends in %q", field, len(value), value[len(value)-8:])
		}
	}
}

func TestHandlerIsUnchangedWithoutDebug(t *testing.T) {
	t.Parallel()
	handler := newIMDS().build()
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	if LogRequests(handler, logger, time.Now) != http.Handler(handler) {
		t.Error("the handler at level info is wrapped")
	}
}
