package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

const (
	// imdsAddress is the address of IMDS.
	imdsAddress = "169.254.169.254:80"

	// defaultListen is where the rule of net-init leads to.
	defaultListen = "127.0.0.1:15780"
)

// config is the configuration from the webhook.
type config struct {
	issuer issuerclient.Options
	podIPs []netip.Addr

	// pod is for logs.
	pod string

	logLevel slog.Level

	// azureLimits applies the rate limits of Azure's IMDS.
	azureLimits bool
}

// readConfig reads the environment.
func readConfig(getenv func(string) string) (config, error) {
	podIPs, err := parseIPs(getenv("POD_IPS"))
	if err != nil {
		return config{}, fmt.Errorf("read POD_IPS: %w", err)
	}
	logLevel, err := parseLogLevel(getenv("KUBE_IMDS_LOG_LEVEL"))
	if err != nil {
		return config{}, fmt.Errorf("read KUBE_IMDS_LOG_LEVEL: %w", err)
	}
	azureLimits, err := parseLimits(getenv("KUBE_IMDS_LIMITS"))
	if err != nil {
		return config{}, fmt.Errorf("read KUBE_IMDS_LIMITS: %w", err)
	}
	return config{
		issuer: issuerclient.Options{
			URL:       getenv("KUBE_IMDS_ISSUER_URL"),
			CA:        getenv("KUBE_IMDS_ISSUER_CA"),
			CAFile:    getenv("KUBE_IMDS_ISSUER_CA_FILE"),
			TokenFile: getenv("KUBE_IMDS_TOKEN_FILE"),
			Node:      getenv("NODE_NAME"),
		},
		podIPs: podIPs,
		pod:    getenv("POD_NAMESPACE") + "/" + getenv("POD_NAME"),

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
	if name != "" && name != "azure" {
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
