package main

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test binary stand in for a container runtime; see launch.
func TestMain(m *testing.M) {
	if _, launched := os.LookupEnv(launchVariable); launched {
		launch()
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arguments []string
		stdout    string // a part of it
		err       string // a part of it
	}{
		"help":               {[]string{"--help"}, "sidecar serve", ""},
		"version":            {[]string{"version"}, version, ""},
		"no subcommand":      {nil, "", "a subcommand is missing"},
		"unknown subcommand": {[]string{"frobnicate"}, "", `no subcommand "frobnicate"`},
		"argument":           {[]string{"net-init", "eth0"}, "", `no argument "eth0"`},
		"an unknown flag":    {[]string{"serve", "--port"}, "", "not defined"},
		"empty environment":  {[]string{"serve"}, "", "KUBE_IMDS_ISSUER_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout bytes.Buffer
			err := run(t.Context(), test.arguments, &stdout)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got error %v", err)
			}
			if !strings.Contains(stdout.String(), test.stdout) {
				t.Errorf("output = %q", stdout.String())
			}
		})
	}
}

func TestSubcommandsHaveHelp(t *testing.T) {
	t.Parallel()
	for _, subcommand := range []string{"serve", "net-init", "ready"} {
		if err := run(t.Context(), []string{subcommand, "--help"}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: %v", subcommand, err)
		}
	}
}
