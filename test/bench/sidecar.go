package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kube-imds/kube-imds/internal/testing/address"
	"github.com/kube-imds/kube-imds/internal/testing/program"
)

// sidecar is the real program on loopback, with an issuer that always grants.
type sidecar struct {
	program.Process
	address     string
	binaryBytes int64
}

func startSidecar(ctx context.Context, directory string) (*sidecar, error) {
	binary, err := program.Build(ctx, directory, "sidecar")
	if err != nil {
		return nil, err
	}
	file, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	tokenFile := filepath.Join(directory, "token")
	if err := os.WriteFile(tokenFile, []byte("token"), 0o600); err != nil {
		return nil, err
	}
	free, err := address.Free(1)
	if err != nil {
		return nil, err
	}
	issuer := newIssuer()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: issuer.Certificate().Raw})
	environment := []string{
		"KUBE_IMDS_ISSUER_URL=" + issuer.URL, "KUBE_IMDS_ISSUER_CA=" + string(authority), "KUBE_IMDS_TOKEN_FILE=" + tokenFile,
	}
	started, err := program.Start(ctx, environment, binary, "serve", "--listen", free[0])
	if err != nil {
		return nil, err
	}
	ready := exec.CommandContext(ctx, binary, "ready", "--address", free[0], "--wait", (10 * time.Second).String())
	if output, err := ready.CombinedOutput(); err != nil {
		started.Stop()
		return nil, fmt.Errorf("wait for the sidecar: %w\n%s", err, output)
	}
	return &sidecar{started, free[0], file.Size()}, nil
}

func (s *sidecar) tokenURL() string {
	return "http://" + s.address + "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net"
}

// token requests the token, which is then cached, and returns the response's body.
func (s *sidecar) token(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.tokenURL(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Metadata", "true")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("request a token from the sidecar: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("request a token from the sidecar: %s %s, %w", response.Status, body, err)
	}
	return body, nil
}
