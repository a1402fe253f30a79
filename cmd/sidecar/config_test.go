package main

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	environment := map[string]string{
		"KUBE_IMDS_ISSUER_URL":     "https://issuer.system.svc",
		"KUBE_IMDS_ISSUER_CA":      "PEM",
		"KUBE_IMDS_ISSUER_CA_FILE": "/ca.crt",
		"KUBE_IMDS_TOKEN_FILE":     "/token",
		"KUBE_IMDS_TRUST_FOLDER":   "/trust",
		"KUBE_IMDS_LOG_LEVEL":      "debug",
		"KUBE_IMDS_LIMITS":         "azure",
		"POD_NAME":                 "orders",
		"POD_NAMESPACE":            "shop",
		"POD_IPS":                  "10.244.1.7,fd00::7",
		"NODE_NAME":                "node-1",
	}
	got, err := readConfig(func(name string) string { return environment[name] })
	want := config{
		issuer: issuerclient.Options{URL: "https://issuer.system.svc", CA: "PEM", CAFile: "/ca.crt", TokenFile: "/token", Node: "node-1"},
		podIPs: []netip.Addr{netip.MustParseAddr("10.244.1.7"), netip.MustParseAddr("fd00::7")},
		pod:    "shop/orders",

		trustFolder: "/trust",

		logLevel:    slog.LevelDebug,
		azureLimits: true,
	}
	compareAddresses := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if difference := cmp.Diff(want, got, cmp.AllowUnexported(config{}), compareAddresses); err != nil || difference != "" {
		t.Errorf("%v (-want +got):\n%s", err, difference)
	}
}

func TestParseIPs(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{"": 0, "10.0.0.1": 1, "10.0.0.1,": 1, "10.0.0.1, fd00::1": 2} {
		if got, err := parseIPs(list); err != nil || len(got) != want {
			t.Errorf("%q: got %v, error %v", list, got, err)
		}
	}
	if _, err := readConfig(func(string) string { return "10.0.0" }); err == nil || !strings.Contains(err.Error(), "POD_IPS") {
		t.Errorf("not an address: %v", err)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]slog.Level{
		"": slog.LevelInfo, "debug": slog.LevelDebug, "info": slog.LevelInfo, "error": slog.LevelError,
	} {
		if got, err := parseLogLevel(name); err != nil || got != want {
			t.Errorf("%q: got %s, error %v", name, got, err)
		}
	}
	for _, name := range []string{"loud", "7", " "} {
		_, err := readConfig(func(variable string) string {
			if variable == "KUBE_IMDS_LOG_LEVEL" {
				return name
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), "KUBE_IMDS_LOG_LEVEL") || !strings.Contains(err.Error(), "want debug, info, warn or error") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestLimitsSetting(t *testing.T) {
	t.Parallel()
	if settings, err := readConfig(func(string) string { return "" }); err != nil || settings.azureLimits {
		t.Errorf("limits without a setting: %v", err)
	}
	_, err := readConfig(func(variable string) string {
		if variable == "KUBE_IMDS_LIMITS" {
			return "true"
		}
		return ""
	})
	if err == nil || !strings.Contains(err.Error(), "KUBE_IMDS_LIMITS") {
		t.Errorf("unknown limits: %v", err)
	}
}
