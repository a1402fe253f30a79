// Command orders is a service that knows nothing of tokens. The gate in its pod lets nobody pass that may not (docs/gate.md).
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"sync"
	"time"
)

// store keeps orders by name.
type store struct {
	mu     sync.Mutex
	orders map[string]string
}

func main() {
	s := &store{orders: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", s.list)
	mux.HandleFunc("PUT /orders/{name}", s.put)
	// On the loopback address nobody reaches it but the gate.
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func (s *store) list(writer http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(s.orders)
}

func (s *store) put(writer http.ResponseWriter, request *http.Request) {
	content, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<10))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := request.PathValue("name")
	s.orders[name] = string(content)
	log.Printf("%s is put by %s", name, request.Header.Get("X-MS-CLIENT-PRINCIPAL-ID"))
	writer.WriteHeader(http.StatusCreated)
}
