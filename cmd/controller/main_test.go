package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kube-imds/kube-imds/internal/process"
	"github.com/kube-imds/kube-imds/webhook"
)

func TestInvalidFlagsAreRefused(t *testing.T) {
	t.Setenv("POD_NAMESPACE", "")
	needed := []string{"--namespace=kube-imds-system", "--tenant-id=tenant", "--sidecar-image=sidecar"}
	for name, test := range map[string]struct {
		args    []string
		message string
	}{
		"no namespace":         {needed[1:], "--namespace"},
		"no tenant":            {[]string{needed[0], needed[2]}, "--tenant-id"},
		"no image":             {needed[:2], "--sidecar-image"},
		"resources as YAML":    {append(needed, "--sidecar-resources=cpu: 5m"), `it must be JSON like {"requests"`},
		"misspelt resources":   {append(needed, `--net-init-resources={"request":{"cpu":"5m"}}`), `unknown field "request"`},
		"an unknown level":     {append(needed, "--log-level=loud"), "--log-level"},
		"an unknown flag":      {append(needed, "--sidecar=x"), "unknown flag: --sidecar"},
		"unknown interception": {append(needed, "--sidecar-interception=nftables"), "it is redirect or address"},
		"port out of range":    {append(needed, "--sidecar-port=65536"), "--sidecar-port"},
		"an argument":          {append(needed, "start"), `unknown command "start"`},
		"not a port":           {append(needed, "--webhook-port=https"), "--webhook-port"},
	} {
		t.Run(name, func(t *testing.T) {
			command := newCommand()
			command.SetArgs(test.args)
			if err := command.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("got error %v, want %q", err, test.message)
			}
		})
	}
}

func TestResourcesFlag(t *testing.T) {
	t.Parallel()
	var read resources
	if err := read.Set(`{"requests":{"cpu":"5m"},"limits":{"memory":"64Mi"}}`); err != nil {
		t.Fatal(err)
	}
	if got := read.Requests.Cpu(); !got.Equal(resource.MustParse("5m")) {
		t.Errorf("CPU request = %s", got)
	}
	if got := read.Limits.Memory(); !got.Equal(resource.MustParse("64Mi")) {
		t.Errorf("memory limit = %s", got)
	}
}

func TestOncePassesForever(t *testing.T) {
	t.Parallel()
	results := []error{errors.New("not yet"), nil, errors.New("not any more")}
	check := once(func(*http.Request) error {
		result := results[0]
		results = results[1:]
		return result
	})
	for i, passes := range []bool{false, true, true} {
		if err := check(nil); (err == nil) != passes {
			t.Errorf("check %d: %v", i+1, err)
		}
	}
}

func TestLimitsReachTheSidecars(t *testing.T) {
	t.Parallel()
	if !(options{sidecarAzureLimits: true}).webhook(nil).AzureLimits || (options{}).webhook(nil).AzureLimits {
		t.Error("sidecars do not get the limits")
	}
}

func TestInterceptionReachesTheSidecars(t *testing.T) {
	t.Parallel()
	got := options{sidecarInterception: webhook.Address, sidecarPort: 8080}.webhook(nil)
	if got.Interception != webhook.Address || got.SidecarPort != 8080 {
		t.Errorf("sidecars get interception %s, port %d", got.Interception, got.SidecarPort)
	}
}

func TestLogLevelReachesTheSidecars(t *testing.T) {
	t.Parallel()
	if got := (options{Flags: process.Flags{LogLevel: "debug"}}).webhook(nil).SidecarLogLevel; got != "debug" {
		t.Errorf("sidecars get level %q", got)
	}
}
