package main

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/cluster/azurehost"
	"github.com/kube-imds/kube-imds/internal/install"
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

// What is allowed for one kind is not allowed for another, and a kind that is not served has nothing.
func TestPublicHostsAreOfTheirKind(t *testing.T) {
	t.Parallel()
	o := options{
		Flags:            process.Flags{Names: install.Names{Name: "kube-imds", Namespace: "imds"}},
		publicVaultHosts: []string{"vault.azure.net"}, publicStorageHosts: []string{"blob.core.windows.net"},
	}
	for _, domain := range []string{"vault.azure.net", "blob.core.windows.net", "metadata.azure.com", "blob.imds.svc"} {
		if !slices.Contains(o.domains(), domain) {
			t.Errorf("the authority may not sign for %s", domain)
		}
	}
	if len(o.publicHosts(nil)) > 0 || len(o.webhook(nil).AzureServices) > 0 {
		t.Error("kinds that are not served have public hosts")
	}
	o.keyVault, o.storage = true, true
	allowed := map[*azurehost.Kind]string{azurehost.KeyVaults: "vault.azure.net", azurehost.StorageAccounts: "blob.core.windows.net"}
	for _, hosts := range o.publicHosts(nil) {
		if diff := cmp.Diff(azurehost.Allowed{allowed[hosts.Kind]}, hosts.Allowed); diff != "" {
			t.Errorf("%s (-want +got)\n%s", hosts.Kind.Name, diff)
		}
		delete(allowed, hosts.Kind)
	}
	want := map[*azurehost.Kind]client.ObjectKey{
		azurehost.KeyVaults:       {Namespace: "imds", Name: "kube-imds-keyvault"},
		azurehost.StorageAccounts: {Namespace: "imds", Name: "kube-imds-storage-gate"},
	}
	if got := o.webhook(nil).AzureServices; len(allowed) > 0 || !maps.Equal(got, want) {
		t.Errorf("services = %v, without hosts: %v", got, allowed)
	}
}
