package storagegate

import (
	"encoding/xml"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMessagesHaveNoReferencesToCharacters(t *testing.T) {
	t.Parallel()
	const text = `"a" isn't <b> & ]]>` + "\x00"
	recorder := httptest.NewRecorder()
	if err := badRequest("InvalidInput", "%s", text).write(recorder, Blob, "1", time.Time{}); err != nil {
		t.Fatal(err)
	}
	if body := recorder.Body.String(); strings.Contains(body, "&#") {
		t.Errorf("got %s", body)
	}
	var got struct{ Code, Message string }
	if err := xml.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(text, "\x00", "\uFFFD") + "\nRequestId:1\nTime:0001-01-01T00:00:00.0000000Z"
	if got.Code != "InvalidInput" || got.Message != want {
		t.Errorf("got %q: %q, want %q", got.Code, got.Message, want)
	}
}
