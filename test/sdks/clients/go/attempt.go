package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// attempt is what is printed of one attempt to get a token.
type attempt struct {
	Client       string  `json:"client"`
	Version      string  `json:"version"`
	Credential   string  `json:"credential"`
	Selector     string  `json:"selector"`
	Resource     string  `json:"resource"`
	Milliseconds float64 `json:"milliseconds"`
	At           int64   `json:"at"`
	Token        string  `json:"token,omitempty"`
	Error        string  `json:"error,omitempty"`
}

// tryAll asks for the default identity's tokens for every resource, and for the other identity's, in each way that the
// credential can name it, for the first resource. It reports whether all of them came.
func tryAll(c credential) bool {
	resources := strings.Split(os.Getenv("RESOURCES"), ",")
	everyOne := true
	for _, selector := range c.selectors {
		ask, err := c.new(selector, os.Getenv(variable[selector]))
		if err != nil {
			ask = func(context.Context, string) (string, error) { return "", err }
		}
		asked := resources
		if selector != byDefault {
			asked = resources[:1]
		}
		for _, resource := range asked {
			everyOne = try(c, selector, resource, ask) && everyOne
		}
	}
	return everyOne
}

func try(c credential, selector, resource string, ask ask) bool {
	start := time.Now()
	token, err := ask(context.Background(), resource)
	made := attempt{
		Client:       c.client,
		Version:      versionOf(c.module),
		Credential:   c.name,
		Selector:     selector,
		Resource:     resource,
		Milliseconds: float64(time.Since(start).Microseconds()) / 1000,
		At:           time.Now().UnixMilli(),
		Token:        token,
	}
	if err != nil {
		made.Error = err.Error()
	}
	line, _ := json.Marshal(made)
	fmt.Println(string(line))
	return err == nil
}

// versionOf returns the version of the module that was built in.
func versionOf(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return ""
}
