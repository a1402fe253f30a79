// Package scrape reads the metrics of programs that tests start.
package scrape

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metrics holds the lines of a scrape.
type Metrics []string

// From scrapes the metrics at an address.
func From(ctx context.Context, address string) (Metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", address, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", address, err)
	}
	defer response.Body.Close()
	var lines Metrics
	scanner := bufio.NewScanner(response.Body)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("scrape %s: %w", address, err)
	}
	return lines, nil
}

// Sum returns the sum over all series of a metric that have a label, such as `ready="true"`; "" stands for all series.
func (m Metrics) Sum(name, label string) float64 {
	var sum float64
	for _, line := range m {
		rest, found := strings.CutPrefix(line, name)
		labels, value, hasLabels := strings.Cut(rest, "} ")
		if !hasLabels {
			labels, value = "", strings.TrimPrefix(rest, " ")
		}
		if !found || !strings.HasPrefix(labels, "{") && hasLabels || !strings.Contains(labels, label) {
			continue
		}
		// A metric whose name only begins with the name has no number there.
		if number, err := strconv.ParseFloat(value, 64); err == nil {
			sum += number
		}
	}
	return sum
}
