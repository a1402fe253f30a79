package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"golang.org/x/net/dns/dnsmessage"
)

const (
	// operationVariable makes the tests' binary an application that does one operation.
	operationVariable = "KUBE_IMDS_TEST_OPERATION"

	vaultVariable = "KUBE_IMDS_TEST_VAULT"
)

// application runs an operation in a process of its own, with the variables that dev prints and no others. It returns what the operation
// printed, or its error.
func (p *process) application(vaultURL string, operation ...string) (printed, failure string) {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	command := exec.CommandContext(p.t.Context(), self)
	command.Env = []string{operationVariable + "=" + strings.Join(operation, " "), vaultVariable + "=" + vaultURL}
	for _, name := range []string{"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "SSL_CERT_FILE"} {
		command.Env = append(command.Env, name+"="+p.exported[name])
	}
	var stdout, stderr buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", err.Error() + ": " + stderr.String()
	}
	return stdout.String(), ""
}

// runApplication uses a vault as applications do: with the published SDKs at their default settings.
func runApplication(operation string) (status int) {
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: dialResolver}
	printed, err := operate(context.Background(), os.Getenv(vaultVariable), strings.Fields(operation))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(printed)
	return 0
}

func operate(ctx context.Context, vaultURL string, words []string) (string, error) {
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	if err != nil {
		return "", err
	}
	secrets, err := azsecrets.NewClient(vaultURL, credential, nil)
	if err != nil {
		return "", err
	}
	switch words[0] {
	case "get":
		found, err := secrets.GetSecret(ctx, words[1], "", nil)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s from %s", *found.Value, *found.ID), nil
	case "set":
		_, err := secrets.SetSecret(ctx, words[1], azsecrets.SetSecretParameters{Value: &words[2]}, nil)
		return "set", err
	case "list":
		var names []string
		for pager := secrets.NewListSecretPropertiesPager(nil); pager.More(); {
			page, err := pager.NextPage(ctx)
			if err != nil {
				return "", err
			}
			for _, one := range page.Value {
				names = append(names, one.ID.Name())
			}
		}
		return strings.Join(names, " "), nil
	case "sign":
		keys, err := azkeys.NewClient(vaultURL, credential, nil)
		if err != nil {
			return "", err
		}
		return sign(ctx, keys, words[1])
	}
	return "", fmt.Errorf("unknown operation %q", words)
}

// sign makes a key, and signs and verifies with it.
func sign(ctx context.Context, keys *azkeys.Client, name string) (string, error) {
	made, err := keys.CreateKey(ctx, name, azkeys.CreateKeyParameters{Kty: new(azkeys.KeyTypeEC), Curve: new(azkeys.CurveNameP256)}, nil)
	if err != nil {
		return "", err
	}
	digest, algorithm := make([]byte, 32), azkeys.SignatureAlgorithmES256
	signed, err := keys.Sign(ctx, name, made.Key.KID.Version(), azkeys.SignParameters{Algorithm: &algorithm, Value: digest}, nil)
	if err != nil {
		return "", err
	}
	verified, err := keys.Verify(ctx, name, made.Key.KID.Version(),
		azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest, Signature: signed.Result}, nil)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("verified: %t", *verified.Value), nil
}

// dialResolver connects to a resolver that knows the names below localhost as RFC 6761 has it, and no others. Not every machine's does.
func dialResolver(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for resolve(server) == nil {
		}
	}()
	return client, nil
}

// resolve answers one question, as over TCP.
func resolve(conn net.Conn) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	question := make([]byte, length)
	if _, err := io.ReadFull(conn, question); err != nil {
		return err
	}
	var message dnsmessage.Message
	if err := message.Unpack(question); err != nil {
		return err
	}
	message.Response, message.Additionals = true, nil
	asked := message.Questions[0]
	switch {
	case !strings.HasSuffix(asked.Name.String(), ".localhost."):
		message.RCode = dnsmessage.RCodeNameError
	case asked.Type == dnsmessage.TypeA:
		message.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: asked.Type, Class: asked.Class},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	answer, err := message.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// An application without a resolver of its own is a test of nothing.
func TestResolverOfTheApplication(t *testing.T) {
	t.Parallel()
	resolver := &net.Resolver{PreferGo: true, Dial: dialResolver}
	if found, err := resolver.LookupHost(t.Context(), "orders.vault.localhost"); err != nil || len(found) != 1 || found[0] != "127.0.0.1" {
		t.Errorf("got %q, error %v", found, err)
	}
	if found, err := resolver.LookupHost(t.Context(), "orders.vault.azure.net"); err == nil {
		t.Errorf("got %q for another name", found)
	}
}
