package server

import "net/http"

// WithoutHTTP2 makes the server speak HTTP/1.1 only, for clients that speak nothing else: a connection then carries one
// request at a time, and costs little while it is idle.
func (s *Server) WithoutHTTP2() *Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	s.server.Protocols = protocols
	return s
}
