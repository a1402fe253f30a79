package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// library is an SDK for a service that takes tokens.
type library struct {
	client, module string
	use            func(*session) error
}

// useEach uses libraries one after the other, and reports whether all operations succeeded.
func useEach(libraries ...library) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	everyOne := true
	for _, used := range libraries {
		if err := used.use(&session{ctx, used}); err != nil {
			fmt.Fprintf(os.Stderr, "client: %s: %v\n", used.client, err)
			everyOne = false
		}
	}
	return everyOne
}

// session is the use of one library. All of it must be done in time.
type session struct {
	context.Context
	library library
}

// operation is the output for one operation.
type operation struct {
	Client       string  `json:"client"`
	Version      string  `json:"version"`
	Operation    string  `json:"operation"`
	Milliseconds float64 `json:"milliseconds"`
	Error        string  `json:"error,omitempty"`
}

// do does an operation and prints what came of it.
func (s *session) do(name string, operate func() error) error {
	start := time.Now()
	err := operate()
	made := operation{
		Client:       s.library.client,
		Version:      versionOf(s.library.module),
		Operation:    name,
		Milliseconds: float64(time.Since(start).Microseconds()) / 1000,
	}
	if err != nil {
		made.Error = err.Error()
	}
	line, _ := json.Marshal(made)
	fmt.Println(string(line))
	return err
}

// await asks until the answer is yes.
func (s *session) await(ask func() (bool, error)) error {
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-s.Done():
			return s.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
