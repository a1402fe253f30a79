package imds

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// maxTokenQuestions bounds how many different queries are remembered. An application has a few.
const maxTokenQuestions = 128

// tokenEndpoint answers GET /metadata/identity/oauth2/token.
type tokenEndpoint struct {
	source TokenSource
	now    func() time.Time

	mu        sync.RWMutex
	questions map[string]*tokenQuestion
}

func newTokenEndpoint(source TokenSource, now func() time.Time) *tokenEndpoint {
	return &tokenEndpoint{source: source, now: now, questions: map[string]*tokenQuestion{}}
}

func (e *tokenEndpoint) serve(w http.ResponseWriter, r *http.Request, _, rawQuery string) *Error {
	question, refusal := e.question(rawQuery)
	if refusal != nil {
		return refusal
	}
	token, err := e.source.Token(r.Context(), question.request)
	if err != nil {
		return fromSource(err)
	}
	question.answer(w, token, e.now())
	return nil
}

// question parses a query, or remembers having parsed it. What is refused is not remembered.
func (e *tokenEndpoint) question(rawQuery string) (*tokenQuestion, *Error) {
	e.mu.RLock()
	known := e.questions[rawQuery]
	e.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	request, refusal := parseTokenRequest(rawQuery)
	if refusal != nil {
		return nil, refusal
	}
	question := &tokenQuestion{request: request}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.questions) >= maxTokenQuestions {
		clear(e.questions)
	}
	e.questions[strings.Clone(rawQuery)] = question
	return question, nil
}
