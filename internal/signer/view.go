package signer

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/reply"
)

const (
	// viewLife is the shortest life of a view; the longest is twice that. Views that end are spread over all replicas again.
	viewLife = 30 * time.Minute

	// lineTimeout bounds how long an issuer may take to read a line.
	lineTimeout = 10 * time.Second
)

// serveView shows an issuer its node until either of them ends it.
func (s *Server) serveView(writer http.ResponseWriter, request *http.Request) {
	entry := &entry{kind: "view", source: request.RemoteAddr}
	to := newLines(writer)
	err := s.show(request, entry, to)
	failed, decided := errors.AsType[*failure.Failure](err)
	switch {
	case err == nil, to.begun && !decided, reply.IsGone(err):
		return
	case to.begun:
		entry.failure = failed
	default:
		entry.failure = refuse(writer, err)
	}
	s.record(entry)
}

func (s *Server) show(request *http.Request, entry *entry, to *lines) error {
	if err := s.admit(request, entry); err != nil {
		return err
	}
	node, err := s.Directory.Node(request.Context(), entry.issuer.Node.Name)
	if err != nil {
		return err
	}
	if err := checkNode(node, entry.issuer); err != nil {
		return err
	}
	s.record(entry)
	ctx, cancel := context.WithTimeout(request.Context(), viewLife+rand.N(viewLife))
	defer cancel()
	return s.Views.Follow(ctx, entry.issuer.Node.Name, entry.issuer.Pod.UID, to)
}

// lines writes the lines of a view.
type lines struct {
	writer     http.ResponseWriter
	controller *http.ResponseController
	begun      bool
}

func newLines(writer http.ResponseWriter) *lines {
	return &lines{writer: writer, controller: http.NewResponseController(writer)}
}

// Write writes a line.
func (l *lines) Write(line []byte) error {
	if !l.begun {
		l.begun = true
		l.writer.Header().Set("Content-Type", "application/x-ndjson")
	}
	// The view lasts longer than a request may.
	if err := l.controller.SetWriteDeadline(time.Now().Add(lineTimeout)); err != nil {
		return err
	}
	_, err := l.writer.Write(line)
	return err
}

// Flush sends what was written.
func (l *lines) Flush() error { return l.controller.Flush() }
