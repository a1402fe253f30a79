// Command probe runs inside pods of the end-to-end tests: it requests tokens like applications, sends requests to
// servers, and tries to connect to another pod's address. Each subcommand prints its result and exits.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `probe: what the end-to-end tests run inside pods

  probe wait                 wait for SIGTERM
  probe token [flags]        print a token that the Azure SDK got
  probe secret [flags] NAME  print a secret of a vault that the Azure SDK got
  probe requests [flags]     ask for tokens without end, a JSON line each
  probe get [flags] URL      send one HTTP request and print the answer as JSON
  probe listen [flags] ADDR  answer every connection with "open", until SIGTERM
  probe flood [flags]        open idle connections, and print how many stay
  probe serve ADDRESS        answer every HTTP request with "the application", until SIGTERM
  probe proxy ADDRESS        pass redirected connections on to where they were going, a line each, until SIGTERM
  probe install PATH         copy this program to a path
  probe started COMMAND...   print the time and become another program
  probe connect [flags]      connect, by way of another pod if need be, and print what came back
  probe raw [flags]          open a connection by a raw packet
  probe sysctl NAME[=VALUE]  print a setting of the pod's kernel, or set it
  probe kill PROGRAM         end the processes of a program

Each has its own --help.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		fmt.Print(usage)
		return nil
	}
	rest := arguments[1:]
	switch arguments[0] {
	case "wait":
		<-ctx.Done()
		return nil
	case "token":
		return token(ctx, rest)
	case "secret":
		return secret(ctx, rest)
	case "requests":
		return requests(ctx, rest)
	case "get":
		return get(ctx, rest)
	case "listen":
		return listen(ctx, rest)
	case "flood":
		return flood(ctx, rest)
	case "serve":
		return serve(ctx, rest)
	case "proxy":
		return proxy(ctx, rest)
	case "install":
		return install(rest)
	case "started":
		return started(rest)
	case "connect":
		return connect(ctx, rest)
	case "raw":
		return raw(ctx, rest)
	case "sysctl":
		return sysctl(rest)
	case "kill":
		return kill(rest)
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("unknown subcommand %q: see probe --help", arguments[0])
}
