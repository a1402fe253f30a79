package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

const (
	// imdsAddress is the address of IMDS.
	imdsAddress = "169.254.169.254:80"
)

// defaultListen is where the rule of net-init leads to.
var defaultListen = fmt.Sprintf("127.0.0.1:%d", settings.Port)

// config is the configuration from the webhook.
type config struct {
	issuer issuerclient.Options
	podIPs []netip.Addr

	// assertionFile is the file to keep an assertion in, of the identity with assertionClientID; "" for none.
	assertionFile, assertionClientID string

	// trustFolder is the folder to keep the authorities in that the pod's containers trust; "" for none.
	trustFolder string

	// pod is for logs.
	pod string

	logLevel slog.Level

	// azureLimits applies the rate limits of Azure's IMDS.
	azureLimits bool
}

// readConfig reads the environment.
func readConfig(getenv func(string) string) (config, error) {
	podIPs, err := parseIPs(getenv(settings.PodIPs))
	if err != nil {
		return config{}, fmt.Errorf("read %s: %w", settings.PodIPs, err)
	}
	logLevel, err := parseLogLevel(getenv(settings.LogLevel))
	if err != nil {
		return config{}, fmt.Errorf("read %s: %w", settings.LogLevel, err)
	}
	azureLimits, err := parseLimits(getenv(settings.Limits))
	if err != nil {
		return config{}, fmt.Errorf("read %s: %w", settings.Limits, err)
	}
	return config{
		issuer: issuerclient.Options{
			URL:       getenv(settings.IssuerURL),
			CA:        getenv(settings.IssuerCA),
			CAFile:    getenv(settings.IssuerCAFile),
			TokenFile: getenv(settings.TokenFile),
			Node:      getenv(settings.NodeName),

			AssertionsFolder: getenv(settings.AssertionsFolder),
		},
		assertionFile: getenv(settings.AssertionFile), assertionClientID: getenv(settings.AssertionClientID),
		trustFolder: getenv(settings.TrustFolder),

		podIPs: podIPs,
		pod:    getenv(settings.PodNamespace) + "/" + getenv(settings.PodName),

		logLevel:    logLevel,
		azureLimits: azureLimits,
	}, nil
}

// parseLogLevel parses the name of a level. The default is info.
func parseLogLevel(name string) (level slog.Level, err error) {
	if name == "" {
		return slog.LevelInfo, nil
	}
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return level, fmt.Errorf("unknown level %q: want debug, info, warn or error", name)
	}
	return level, nil
}

// parseLimits reports whether Azure's limits apply. The default is no limits.
func parseLimits(name string) (azure bool, err error) {
	if name != "" && name != settings.LimitsAzure {
		return false, fmt.Errorf("unknown limits %q: want \"azure\" or \"\"", name)
	}
	return name == "azure", nil
}

// parseIPs parses addresses separated by commas, as the downward API writes them.
func parseIPs(list string) ([]netip.Addr, error) {
	var addresses []netip.Addr
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		address, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address.Unmap())
	}
	return addresses, nil
}
