package install

import "strconv"

// The ports that the processes listen on by default. The chart's containers name the same.
const (
	// WebhookPort is the controller's, and APIPort that of issuer, signer and OIDC server.
	WebhookPort = 9443
	APIPort     = 8443

	// AuthorityPort is where the OIDC server has the authority's certificates, without TLS.
	AuthorityPort = 8082

	MetricsPort = 8080
	HealthPort  = 8081

	// The gate has others, because it is in a pod with somebody's service.
	GateMetricsPort = 9080
	GateHealthPort  = 9081
)

// Address returns the address of a port on all interfaces.
func Address(port int) string { return ":" + strconv.Itoa(port) }
