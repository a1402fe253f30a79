// Command bench measures the sidecar's size and speed, the latter as a ratio to a bare net/http handler that answers
// the same bytes, under the same load in the same run. It needs wrk, and the go command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if os.Getenv(bareVariable) != "" {
		return serveBare()
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "how often each is measured, in turns")
	duration := flags.Duration("duration", 4*time.Second, "how long each time")
	connections := flags.Int("connections", 16, "how many connections at once")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing: apt-get install wrk")
	}
	directory, err := os.MkdirTemp("", "kube-imds-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)

	sidecar, err := startSidecar(ctx, directory)
	if err != nil {
		return err
	}
	defer sidecar.Stop()
	idle, err := sidecar.ResidentBytes()
	if err != nil {
		return err
	}
	bare, err := startBare(ctx, sidecar)
	if err != nil {
		return err
	}
	defer bare.Stop()

	load := load{duration: *duration, connections: *connections}
	rates, err := load.inTurns(ctx, *rounds, sidecar.tokenURL(), bare.url)
	if err != nil {
		return err
	}
	busy, err := sidecar.ResidentBytes()
	if err != nil {
		return err
	}
	return report(os.Stdout, measurement{
		binaryBytes: sidecar.binaryBytes, idleBytes: idle, busyBytes: busy,
		sidecarRates: rates[0], bareRates: rates[1],
	})
}
