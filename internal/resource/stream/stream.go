// Package stream passes bodies through a gate without holding them in memory, for as long as they make progress.
package stream

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// BufferSize is that of the buffers through which bodies pass, in bytes.
const BufferSize = 32 << 10

// Buffers are those of all bodies in progress. It is an httputil.BufferPool.
type Buffers struct{ pool sync.Pool }

// Get returns a buffer.
func (b *Buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, BufferSize)
}

// Put takes a buffer back.
func (b *Buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

// stream lets the bodies of a request and its answer take as long as they need, while they make progress. The server's own limits are for
// small ones.
type stream struct {
	http.ResponseWriter
	body     io.ReadCloser
	patience time.Duration
}

// New returns a writer and a request that are not bound to the server's limits, but to the patience with each part of a body.
func New(writer http.ResponseWriter, request *http.Request, patience time.Duration) (http.ResponseWriter, *http.Request) {
	s := &stream{writer, request.Body, patience}
	longer := request.Clone(request.Context())
	if request.Body != nil && request.Body != http.NoBody {
		longer.Body = reading{s}
	}
	return s, longer
}

func (s *stream) extend() {
	controller, until := http.NewResponseController(s.ResponseWriter), time.Now().Add(s.patience)
	// Writers of tests have no deadlines.
	_ = controller.SetReadDeadline(until)
	_ = controller.SetWriteDeadline(until)
}

// Write implements http.ResponseWriter.
func (s *stream) Write(content []byte) (int, error) {
	s.extend()
	return s.ResponseWriter.Write(content)
}

// Unwrap is for http.ResponseController.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// reading is the body of a stream's request.
type reading struct{ *stream }

// Read implements io.Reader.
func (r reading) Read(into []byte) (int, error) {
	r.extend()
	return r.body.Read(into)
}

// Close implements io.Closer.
func (r reading) Close() error { return r.body.Close() }
