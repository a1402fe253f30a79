package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// maxAdmin bounds what the admin interface reads.
const maxAdmin = 1 << 20

// Admin returns the handler by which a test drives a stand-in in another process. It has no authentication, and belongs on an
// address of its own. It speaks JSON:
//
//	GET    /stats                Stats
//	GET    /requests             the last requests
//	POST   /identities           add or replace the identities in an array
//	DELETE /identities/CLIENTID  remove one
//	PUT    /faults               replace all faults by those in an array
//	POST   /release              let requests go on that Hold holds
func (s *Server) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(writer http.ResponseWriter, _ *http.Request) { writeJSON(writer, http.StatusOK, s.Stats()) })
	mux.HandleFunc("GET /requests", func(writer http.ResponseWriter, _ *http.Request) { writeJSON(writer, http.StatusOK, s.Requests()) })
	mux.HandleFunc("POST /identities", told(func(those []Identity) error { return s.Add(those...) }))
	mux.HandleFunc("DELETE /identities/{client}", func(writer http.ResponseWriter, request *http.Request) {
		s.Unregister(request.PathValue("client"))
		writer.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("PUT /faults", told(func(those []Fault) error {
		if len(those) > maxFaults {
			return fmt.Errorf("%d faults are too many, %d are possible", len(those), maxFaults)
		}
		s.Fail(those...)
		return nil
	}))
	mux.HandleFunc("POST /release", func(writer http.ResponseWriter, _ *http.Request) {
		s.Release()
		writer.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// told serves a request that says what to do.
func told[T any](do func(T) error) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		var read T
		decoder := json.NewDecoder(http.MaxBytesReader(writer, request.Body, maxAdmin))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&read)
		if err == nil {
			err = do(read)
		}
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		writer.WriteHeader(http.StatusNoContent)
	}
}

// plainFault is a Fault without methods.
type plainFault Fault

// faultJSON is a Fault in JSON, with durations such as "1m30s".
type faultJSON struct {
	*plainFault
	Delay, ClockOffset duration
}

// MarshalJSON writes a fault.
func (f Fault) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultJSON{(*plainFault)(&f), duration(f.Delay), duration(f.ClockOffset)})
}

// UnmarshalJSON reads a fault, and refuses members that it does not know.
func (f *Fault) UnmarshalJSON(content []byte) error {
	read := faultJSON{plainFault: (*plainFault)(f)}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return err
	}
	f.Delay, f.ClockOffset = time.Duration(read.Delay), time.Duration(read.ClockOffset)
	return nil
}

type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	*d = duration(read)
	return err
}
