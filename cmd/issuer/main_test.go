package main

import (
	"strings"
	"testing"
)

func TestInvalidFlagsAreRefused(t *testing.T) {
	needed := []string{"--node-name=node-1", "--namespace=kube-imds-system"}
	for name, test := range map[string]struct {
		args    []string
		message string
	}{
		"no node":          {[]string{"--node-name=", needed[1]}, "--node-name"},
		"no namespace":     {[]string{needed[0], "--namespace="}, "--namespace"},
		"no requests":      {append(needed, "--pod-requests-per-second=0"), "--pod-requests-per-second"},
		"no burst":         {append(needed, "--pod-burst=0"), "--pod-burst"},
		"no concurrency":   {append(needed, "--pod-concurrent=0"), "--pod-concurrent"},
		"limit is a word":  {append(needed, "--pod-burst=many"), "--pod-burst"},
		"an unknown level": {append(needed, "--log-level=loud"), "--log-level"},
	} {
		// Not parallel: each sets the process's log.
		t.Run(name, func(t *testing.T) {
			command := newCommand()
			command.SetArgs(test.args)
			if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got error %v, want %q", err, test.message)
			}
		})
	}
}
