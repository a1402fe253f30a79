package capability

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDoor(t *testing.T) {
	t.Parallel()
	set := (Set{}).Renew(start)
	other := (Set{}).Renew(start)
	for name, test := range map[string]struct {
		good   Set
		path   string
		inside string
	}{
		"current":              {set, "/" + set.current + "/pods", "/pods"},
		"next":                 {set, "/" + set.next + "/pods", "/pods"},
		"previous":             {set, "/" + set.previous + "/pods", "/pods"},
		"nothing after it":     {set, "/" + set.current, "/"},
		"more after it":        {set, "/" + set.current + "/pods/more", "/pods/more"},
		"none":                 {set, "/pods", ""},
		"nothing at all":       {set, "/", ""},
		"another":              {set, "/" + other.current + "/pods", ""},
		"not at the beginning": {set, "/pods/" + set.current, ""},
		"two slashes":          {set, "//" + set.current + "/pods", ""},
		"empty set":            {Set{}, "/" + set.current + "/pods", ""},
		"empty set, no name":   {Set{}, "//pods", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inside, refused := "", 0
			door := Door(func(context.Context) Set { return test.good },
				http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) { inside = request.URL.Path }),
				func() { refused++ })
			recorder := httptest.NewRecorder()
			body := &unread{}
			door.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "http://webhook"+test.path, body))
			if inside != test.inside {
				t.Fatalf("path of the inner handler = %q, want %q", inside, test.inside)
			}
			if test.inside != "" {
				return
			}
			if recorder.Code != http.StatusNotFound || recorder.Header().Get("Connection") != "close" || refused != 1 || body.read {
				t.Errorf("got %d, %v, %d refusals, body read: %t", recorder.Code, recorder.Header(), refused, body.read)
			}
			if strings.Contains(recorder.Body.String(), set.current) {
				t.Error("the response contains a capability")
			}
		})
	}
}

// unread records whether it was read.
type unread struct{ read bool }

func (u *unread) Read([]byte) (int, error) {
	u.read = true
	return 0, io.EOF
}
