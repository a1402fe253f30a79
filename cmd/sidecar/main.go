// Command sidecar is the Instance Metadata Service of one pod. The containers that the webhook adds run its subcommands.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kube-imds/kube-imds/internal/sidecar/settings"
)

const usage = `sidecar: the Instance Metadata Service of one pod

  sidecar serve      answer as IMDS, with tokens from the node's issuer
  sidecar net-init   add 169.254.169.254 to the device lo, redirect its port 80 to serve, and exit
  sidecar ready      exit with 0 once serve is ready for applications: a postStart hook
  sidecar token      ask 169.254.169.254 for a token, and print its claims
  sidecar reach      print whether anything answers at 169.254.169.254:80
  sidecar version    print the version

Each has its own --help.
`

// version is set in release builds.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, stdout io.Writer) error {
	if len(arguments) == 0 {
		return errors.New("a subcommand is missing: see sidecar --help")
	}
	rest := arguments[1:]
	switch arguments[0] {
	case settings.Serve:
		return serve(ctx, rest)
	case settings.NetInit:
		return netInit(rest)
	case settings.Ready:
		return ready(ctx, rest)
	case "token":
		return token(ctx, rest, stdout)
	case "reach":
		return reach(ctx, rest, stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, version)
		return err
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(stdout, usage)
		return err
	}
	return fmt.Errorf("there is no subcommand %q: see sidecar --help", arguments[0])
}

// parse parses the flags of a subcommand, which takes no other arguments.
func parse(flags *flag.FlagSet, arguments []string) error {
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes no argument %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
