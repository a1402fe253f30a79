// Command conformance sends an Instance Metadata Service all requests that it should answer, and reports where it
// answers otherwise.
//
//	go run ./test/conformance -url http://127.0.0.1:8080
//
// See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/kube-imds/kube-imds/test/conformance/suite"
)

// azurePace stays below the limit of five requests a second on a virtual machine.
const azurePace = 300 * time.Millisecond

var errFailed = errors.New("not all is answered as it should be")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errFailed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var (
		target  suite.Target
		options suite.Options
		list    bool
		quiet   bool
	)
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&target.URL, "url", "http://169.254.169.254", "where to ask")
	flags.StringVar(&target.Resource, "resource", "https://vault.azure.net", "a resource that tokens are given for")
	flags.StringVar(&target.ClientID, "client-id", "", "the client ID of an identity that the target issues tokens for")
	flags.StringVar(&target.ObjectID, "object-id", "", "the object ID of the same identity")
	flags.StringVar(&target.ResourceID, "resource-id", "", "the resource ID of the same identity")
	flags.BoolVar(&options.Azure, "azure", false, "ask a virtual machine in Azure: leave out what is kube-imds's own choice, and stay below Azure's rate limits")
	flags.DurationVar(&options.Timeout, "timeout", 10*time.Second, "how long an answer may take")
	flags.Func("run", "ask only the cases whose name matches this `regexp`", into(&options.Only))
	flags.Func("skip", "skip the cases whose name matches this `regexp`", into(&options.Skip))
	flags.BoolVar(&list, "list", false, "list the cases and ask nothing")
	flags.BoolVar(&quiet, "quiet", false, "tell of failures only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if list {
		return printList(stdout, options)
	}
	if options.Azure {
		options.Pace = azurePace
	}
	options.Report = func(result suite.Result) {
		if !quiet || result.Outcome == suite.Failed {
			fmt.Fprintln(stdout, result)
		}
	}
	results, err := suite.Run(ctx, target, options)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, suite.Summary(results))
	if suite.AnyFailed(results) {
		return errFailed
	}
	return nil
}

func printList(stdout io.Writer, options suite.Options) error {
	for _, c := range suite.Cases() {
		if !options.Chooses(c) {
			continue
		}
		if _, err := fmt.Fprintln(stdout, suite.Listing(c)); err != nil {
			return err
		}
	}
	return nil
}

// into returns a flag function that compiles a regular expression.
func into(expression **regexp.Regexp) func(string) error {
	return func(text string) (err error) {
		*expression, err = regexp.Compile(text)
		return err
	}
}
