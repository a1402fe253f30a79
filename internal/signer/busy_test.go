package signer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestConcurrentRequestsAreBounded(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	handler := bounded(2, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}))
	ask := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
		return answer
	}
	done := make(chan struct{})
	for range 2 {
		go func() {
			ask()
			done <- struct{}{}
		}()
		<-entered
	}
	answer := ask()
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" ||
		!strings.Contains(answer.Body.String(), "the signer is busy") {
		t.Errorf("third request: got %d %v %s", answer.Code, answer.Header(), answer.Body)
	}
	close(leave)
	<-done
	<-done
	go func() { <-entered }()
	if answer := ask(); answer.Code != http.StatusOK {
		t.Errorf("request after them: status = %d", answer.Code)
	}
}
