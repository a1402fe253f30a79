package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

// nodeIssuer is the issuer of a node, with its own link to the signers: they limit the connections of each address.
type nodeIssuer struct {
	*part
	toSigners *link
}

// startIssuer starts the issuer of a node, and waits until it is ready. The nth node has the nth address at the signers.
func (in *installed) startIssuer(ctx context.Context, node, generation string, n int, toAPIServer *link, addresses []string, signers ...string) (
	*nodeIssuer, error,
) {
	toSigners, err := newLink(net.ParseIP(issuerAddress(n)), signers...)
	if err != nil {
		return nil, err
	}
	pod := wanted{
		part: install.Issuer, name: "issuer-" + node + "-" + generation, node: node, by: toAPIServer, addresses: addresses,
		arguments: []string{"--node-name=" + node, "--signer-address=" + toSigners.address()},
	}
	pod.prepare = func(ctx context.Context, made *part) ([]string, error) {
		token, err := in.token(ctx, made.pod, signerapi.Audience, tokenSeconds)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(in.folder, made.pod.Name+".signer-token")
		return []string{"--signer-token-file=" + path}, os.WriteFile(path, []byte(token), 0o600)
	}
	started, err := in.start(ctx, pod)
	if err != nil {
		toSigners.close()
		return nil, err
	}
	return &nodeIssuer{started, toSigners}, nil
}

// endIssuer ends an issuer and its link.
func (in *installed) endIssuer(ctx context.Context, issuer *nodeIssuer) error {
	defer issuer.toSigners.close()
	return in.end(ctx, issuer.part)
}

// issuerAddress returns the address of the nth node: one of loopback's.
func issuerAddress(n int) string { return fmt.Sprintf("127.90.%d.%d", n/250, n%250+1) }
