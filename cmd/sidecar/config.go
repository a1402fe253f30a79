package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"

	"github.com/kube-imds/kube-imds/internal/sidecar/issuerclient"
)

const (
	// imdsAddress is where applications look for IMDS.
	imdsAddress = "169.254.169.254:80"

	// defaultListen is where serve listens behind the rule that net-init writes.
	defaultListen = "127.0.0.1:15780"
)

// config is what the webhook tells the sidecar.
type config struct {
	issuer issuerclient.Options
	podIPs []netip.Addr

	// pod is for logs.
	pod string

	logLevel slog.Level

	// azureLimits asks for the limits of Azure's IMDS.
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

// parseLogLevel reads the name of a level, which are those of the chart. Without one it is info.
func parseLogLevel(name string) (slog.Level, error) {
	switch name {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("%q is no level; it is debug, info or error", name)
}

// parseLimits reads whose limits are wanted. Without a name there are none.
func parseLimits(name string) (azure bool, err error) {
	if name != "" && name != "azure" {
		return false, fmt.Errorf("%q has no limits; it is azure or empty", name)
	}
	return name == "azure", nil
}

// parseIPs reads addresses separated by commas, as the downward API writes them.
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
