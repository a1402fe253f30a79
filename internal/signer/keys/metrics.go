package keys

import "github.com/prometheus/client_golang/prometheus"

var successorMissing = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "kube_imds_signer_successor_missing",
	Help: "1 where there is no key to sign after the current one, by ring (tokens, federation): the log says why.",
}, []string{"ring"})

// Collectors returns the metrics of keys, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{successorMissing} }
