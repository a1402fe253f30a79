// Command client asks for tokens with each credential that Azure's SDKs for Go have, as an application would, and
// prints a JSON line for every attempt. It fails if one of them got no token.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// main asks with the first credential at once, to see how soon a new container has a token, and has a process of its
// own ask with each other one: MSAL keeps tokens for the whole process, so that a second credential would ask nobody.
func main() {
	if len(os.Args) > 1 {
		exit(askWith(os.Args[1]))
	}
	everyOne := tryAll(credentials[0])
	for i := range credentials[1:] {
		everyOne = again(strconv.Itoa(i+1)) && everyOne
	}
	exit(everyOne)
}

func exit(everyOne bool) {
	if !everyOne {
		os.Exit(1)
	}
	os.Exit(0)
}

// askWith asks with the credential at this index.
func askWith(index string) bool {
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(credentials) {
		fmt.Fprintf(os.Stderr, "client: %q is no credential's index\n", index)
		return false
	}
	return tryAll(credentials[i])
}

// again runs this program for the credential at this index.
func again(index string) bool {
	program, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		return false
	}
	command := exec.Command(program, index)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	return command.Run() == nil
}
