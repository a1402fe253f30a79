package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// load is the load that wrk makes.
type load struct {
	duration    time.Duration
	connections int
}

// inTurns measures each URL once a round, so that other load on the machine affects all of them. The rates are in
// requests per second, by URL and round.
func (l load) inTurns(ctx context.Context, rounds int, urls ...string) (rates [][]float64, err error) {
	rates = make([][]float64, len(urls))
	for range rounds {
		for i, url := range urls {
			rate, err := l.rate(ctx, url)
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	return rates, nil
}

var (
	rateLine   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	errorLines = regexp.MustCompile(`(?m)^\s*(Non-2xx.*|Socket errors.*)$`)
)

func (l load) rate(ctx context.Context, url string) (float64, error) {
	output, err := exec.CommandContext(ctx, "wrk", "-t", "2", "-c", strconv.Itoa(l.connections),
		"-d", fmt.Sprintf("%ds", max(1, int(l.duration.Seconds()))), "-H", "Metadata: true", url).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("run wrk: %w\n%s", err, output)
	}
	if problem := errorLines.Find(output); problem != nil {
		return 0, fmt.Errorf("some requests failed: %s", problem)
	}
	rate := rateLine.FindSubmatch(output)
	if rate == nil {
		return 0, fmt.Errorf("wrk reports no rate:\n%s", output)
	}
	return strconv.ParseFloat(string(rate[1]), 64)
}
