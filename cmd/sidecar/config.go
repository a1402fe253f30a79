package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kube-imds/kube-imds/internal/issuerclient"
)

// defaultListen is where applications look for IMDS.
const defaultListen = "169.254.169.254:80"

// config is what the webhook tells the sidecar.
type config struct {
	issuer issuerclient.Options
	podIPs []netip.Addr

	// pod is for logs.
	pod string
}

// readConfig reads the environment.
func readConfig(getenv func(string) string) (config, error) {
	podIPs, err := parseIPs(getenv("POD_IPS"))
	if err != nil {
		return config{}, fmt.Errorf("read POD_IPS: %w", err)
	}
	return config{
		issuer: issuerclient.Options{
			URL:       getenv("KUBE_IMDS_ISSUER_URL"),
			CA:        getenv("KUBE_IMDS_ISSUER_CA"),
			TokenFile: getenv("KUBE_IMDS_TOKEN_FILE"),
		},
		podIPs: podIPs,
		pod:    getenv("POD_NAMESPACE") + "/" + getenv("POD_NAME"),
	}, nil
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
