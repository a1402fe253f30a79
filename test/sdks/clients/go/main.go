// Command client requests tokens with each credential of Azure's SDKs for Go, like an application, and
// prints a JSON line for every attempt. It fails if one attempt fails.
//
//	client [workload-identity | default | vault | storage]
//
// Without an argument the credentials ask IMDS. With the name of a credential, it alone is used, for a pod that azure-workload-identity's
// variables send to Entra ID. With "vault", the SDKs for Key Vault use the vault at KEY_VAULT_URL, and with "storage" the one for blobs uses
// the account at BLOB_URL.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

// main uses the first credential at once, to see how soon a new container gets a token, and runs a separate process
// for each other one: MSAL caches tokens per process, so a second credential would send no request.
func main() {
	if len(os.Args) > 1 {
		exit(doAs(os.Args[1]))
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

// doAs does what an argument says.
func doAs(argument string) bool {
	switch argument {
	case "vault":
		return useVault(os.Getenv("KEY_VAULT_URL"))
	case "storage":
		return useStorage(os.Getenv("BLOB_URL"))
	}
	return askWith(argument)
}

// askWith requests tokens with the credential of a mode, or with the one at an index.
func askWith(argument string) bool {
	if only, found := modes[argument]; found {
		return tryAll(only)
	}
	i, err := strconv.Atoi(argument)
	if err != nil || i < 0 || i >= len(credentials) {
		fmt.Fprintf(os.Stderr, "client: %q is no mode, and no credential's index\n", argument)
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
