package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// reachTimeout bounds connecting to a metadata service, which is on the machine or next to it.
const reachTimeout = 3 * time.Second

// reach prints whether anything answers at 169.254.169.254:80 from this pod's network. It connects and sends nothing.
// kubectl imds check runs it in pods that are not injected, to see what a node lets pods reach.
func reach(ctx context.Context, arguments []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("reach", flag.ContinueOnError)
	address := flags.String("address", imdsAddress, "the `address` to connect to")
	output := flags.String("output", "", "the `file` to write the answer to instead of standard output")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	answer := "reached"
	connection, err := (&net.Dialer{Timeout: reachTimeout}).DialContext(ctx, "tcp", *address)
	if err != nil {
		answer = fmt.Sprintf("not reached: %s", err)
	} else if err := connection.Close(); err != nil {
		return fmt.Errorf("close the connection: %w", err)
	}
	if *output == "" {
		_, err = fmt.Fprintln(stdout, answer)
		return err
	}
	if err := os.WriteFile(*output, []byte(answer), 0o600); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
