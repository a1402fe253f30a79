package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kube-imds/kube-imds/internal/install"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// sidecar asks an issuer for a pod, from the pod's address.
type sidecar struct {
	pod   *corev1.Pod
	token string
	http  *http.Client
}

// firstTokenPatience bounds the wait for a token.
const firstTokenPatience = time.Minute

// newSidecar requests the pod's token for the issuer, as a kubelet does.
func (in *installed) newSidecar(ctx context.Context, pod *corev1.Pod, issuer *part) (*sidecar, error) {
	token, err := in.token(ctx, pod, issuerapi.Audience, issuerapi.TokenSeconds)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(pod.Status.PodIP)}}
	return &sidecar{pod, token, &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, issuer.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: in.roots.Pool(), MinVersion: tls.VersionTLS13},
	}}}, nil
}

// close closes the sidecar's connections.
func (s *sidecar) close() { s.http.CloseIdleConnections() }

// firstToken asks for a token until there is one. Only 503 is asked again.
func (s *sidecar) firstToken(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstTokenPatience)
	defer cancel()
	body, err := json.Marshal(issuerapi.TokenRequest{Resource: "https://vault.azure.net"})
	if err != nil {
		return err
	}
	for {
		a, err := s.ask(ctx, http.MethodPost, issuerapi.TokenPath, "", body)
		if err != nil {
			return fmt.Errorf("ask for a token of pod %s: %w", s.pod.Name, err)
		}
		if a.status == http.StatusOK {
			return nil
		}
		if a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("ask for a token of pod %s: got %d %s", s.pod.Name, a.status, a.body)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("ask for a token of pod %s: got %d %s", s.pod.Name, a.status, a.body)
		}
	}
}

// hold keeps a request at the issuer that waits for a change of the pod's grant, until the context ends or the issuer is away.
func (s *sidecar) hold(ctx context.Context) {
	known := ""
	for {
		a, err := s.ask(ctx, http.MethodGet, issuerapi.GrantPath, known, nil)
		if err != nil || a.status != http.StatusOK && a.status != http.StatusNotModified {
			return
		}
		known = a.revision
	}
}

// answer is an issuer's. revision is the ETag of a grant.
type answer struct {
	status         int
	revision, body string
}

func (s *sidecar) ask(ctx context.Context, method, path, known string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+names.Services(install.Issuer)[0]+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	if known != "" {
		request.Header.Set("If-None-Match", known)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("ETag"), string(content)}, err
}
