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

// attempt is the output for one attempt to get a token.
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

// tryAll requests the default identity's tokens for all resources, and the other identity's, in each way that the
// credential can select it, for the first resource. It reports whether it got all of them.
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

// versionOf returns the version of a linked module.
func versionOf(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return strings.TrimPrefix(dependency.Version, "v")
		}
	}
	return ""
}
