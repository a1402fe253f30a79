package view

import (
	"github.com/prometheus/client_golang/prometheus"
)

// views counts the views that are shown.
var views = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "kube_imds_signer_views",
	Help: "Issuers that follow the view of their node here.",
})

// Collectors returns the package's metrics, for the process to register.
func Collectors() []prometheus.Collector { return []prometheus.Collector{views} }
