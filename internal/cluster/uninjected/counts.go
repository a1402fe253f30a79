// Package uninjected counts running pods that have no IMDS although identities were asked for or bound for their ServiceAccount.
package uninjected

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
)

var podsMetric = prometheus.NewDesc("kube_imds_controller_uninjected_pods",
	"Running pods without IMDS of ServiceAccounts that have identities.", nil, nil)

// Counts has the number of pods without IMDS of each ServiceAccount. It is also their collector. Its methods may be called
// concurrently.
type Counts struct {
	mu       sync.Mutex
	pods     map[types.NamespacedName]int
	onChange []func(types.NamespacedName)
}

// OnChange registers a function that is called whenever the number of a ServiceAccount's pods changes or becomes known.
func (c *Counts) OnChange(call func(types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onChange = append(c.onChange, call)
}

// Set takes over the number of a ServiceAccount's pods, and returns the one before; 0 if it was not known.
func (c *Counts) Set(account types.NamespacedName, pods int) (before int) {
	before, known, listeners := c.swap(account, pods)
	if !known || before != pods {
		for _, call := range listeners {
			call(account)
		}
	}
	return before
}

func (c *Counts) swap(account types.NamespacedName, pods int) (before int, known bool, listeners []func(types.NamespacedName)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pods == nil {
		c.pods = map[types.NamespacedName]int{}
	}
	before, known = c.pods[account]
	c.pods[account] = pods
	return before, known, c.onChange
}

// Forget drops a ServiceAccount that no longer has identities.
func (c *Counts) Forget(account types.NamespacedName) {
	c.mu.Lock()
	_, known := c.pods[account]
	delete(c.pods, account)
	listeners := c.onChange
	c.mu.Unlock()
	if !known {
		return
	}
	for _, call := range listeners {
		call(account)
	}
}

// Report sums up ServiceAccounts. It is nil while one of them has not been counted.
func (c *Counts) Report(accounts []types.NamespacedName) *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	report := &Report{}
	for _, account := range accounts {
		pods, known := c.pods[account]
		if !known {
			return nil
		}
		if pods > 0 {
			report.Pods += pods
			report.Accounts = append(report.Accounts, account)
		}
	}
	return report
}

// Describe implements prometheus.Collector.
func (c *Counts) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- podsMetric }

// Collect implements prometheus.Collector.
func (c *Counts) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := 0
	for _, pods := range c.pods {
		total += pods
	}
	metrics <- prometheus.MustNewConstMetric(podsMetric, prometheus.GaugeValue, float64(total))
}
