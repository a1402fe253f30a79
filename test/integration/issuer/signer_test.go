package issuer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
	"github.com/kube-imds/kube-imds/internal/keyring"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const signerHost = "kube-imds-signer.kube-imds-system.svc"

// signerProcess is the signer's binary with the credentials of a signer's pod.
type signerProcess struct {
	*cluster
	arguments []string
	env       []string
	health    string
	metrics   string
	log       *output
	command   *exec.Cmd
	ended     chan error
}

// startSigner starts a signer, and waits until it is ready.
func (c *cluster) startSigner(t *testing.T, arguments ...string) *signerProcess {
	t.Helper()
	addresses := freeAddresses(t, 3)
	c.signerAddress = addresses[0]
	s := &signerProcess{cluster: c, log: &output{}, health: "http://" + addresses[2] + "/readyz", metrics: "http://" + addresses[1] + "/metrics",
		env: append(os.Environ(), "KUBECONFIG="+c.kubeconfig(t, c.partPod(t, "signer", "node-2"), c.config.Host)),
		arguments: append([]string{"--namespace=" + namespace,
			"--subscription-id=subscription", "--resource-group=group", "--entra-issuer-resources=https://storage.azure.com",
			"--listen=" + addresses[0], "--metrics-address=" + addresses[1], "--health-address=" + addresses[2]}, arguments...),
	}
	s.start(t)
	t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the signer's log:\n%s", s.log)
		}
	})
	return s
}

func (s *signerProcess) start(t *testing.T) {
	t.Helper()
	s.command, s.ended = exec.Command(s.signer, s.arguments...), make(chan error, 1)
	s.command.Env, s.command.Stdout, s.command.Stderr = s.env, s.log, s.log
	must(t, s.command.Start(), "start the signer")
	go func(command *exec.Cmd, ended chan error) { ended <- command.Wait() }(s.command, s.ended)
	eventually(t, "the signer is ready", func() error {
		_, err := read(s.health)
		return err
	})
}

func (s *signerProcess) stop(signal syscall.Signal) {
	_ = s.command.Process.Signal(signal)
	<-s.ended
}

// askSigner sends the signer a request with the token of a node's issuer, like a thief of the token.
func (c *cluster) askSigner(t *testing.T, bearer, path string, request any) answer {
	t.Helper()
	body, err := json.Marshal(request)
	must(t, err, "render a request")
	asked, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+signerHost+path, bytes.NewReader(body))
	must(t, err, "make a request")
	asked.Header.Set("Authorization", "Bearer "+bearer)
	response, err := c.signerHTTP().Do(asked)
	must(t, err, "ask the signer")
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err, "read the signer's answer")
	return answer{response.StatusCode, response.Header, string(text)}
}

// signerHTTP returns a client that connects to the signer.
func (c *cluster) signerHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, c.signerAddress)
		},
		TLSClientConfig:   &tls.Config{RootCAs: c.controller.bundle().Pool(), MinVersion: tls.VersionTLS13},
		DisableKeepAlives: true,
	}}
}

// issuerPod returns the pod of a node's issuer.
func (c *cluster) issuerPod(t *testing.T, node string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: release + "-issuer-" + node}, pod), "read the issuer's pod")
	return pod
}

func (c *cluster) uidOfNode(t *testing.T, name string) string {
	t.Helper()
	var node corev1.Node
	must(t, c.Get(t.Context(), client.ObjectKey{Name: name}, &node), "read the Node")
	return string(node.UID)
}

// A stolen token of node-1's issuer is good for pods of node-1, while they run there, and for nothing else.
func testSignerRefusesWhatIsNotItsNodes(t *testing.T, i *issuerProcess) {
	h := i.newHome(t)
	here, there := h.newPod(t, "here", "node-1"), h.newPod(t, "there", "node-2")
	other := i.newHome(t)
	i.granted(t, here, vault)
	issuer := i.issuerPod(t, "node-1")
	stolen := i.token(t, issuer, toPod(issuer).forSigner())
	asking := func(pod *corev1.Pod, identity string) signerapi.TokenRequest {
		return signerapi.TokenRequest{Pod: signerapi.Pod{UID: string(pod.UID)}, Identity: identity, Resource: vault}
	}
	eventually(t, "the signer knows the pod of the other node", func() error {
		if a := i.askSigner(t, stolen, signerapi.TokenPath, asking(there, h.identity.Name)); !strings.Contains(a.body, "OtherNode") {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
	for name, test := range map[string]struct {
		bearer, path string
		request      any
		want         int
	}{
		"own pod":                         {stolen, signerapi.TokenPath, asking(here, h.identity.Name), http.StatusOK},
		"a pod of another node":           {stolen, signerapi.TokenPath, asking(there, h.identity.Name), http.StatusForbidden},
		"identity of another pod":         {stolen, signerapi.TokenPath, asking(here, other.identity.Name), http.StatusServiceUnavailable},
		"attestation for another node":    {stolen, signerapi.AttestationPath, signerapi.AttestationRequest{Pod: signerapi.Pod{UID: string(there.UID)}}, http.StatusForbidden},
		"with a pod's token for issuers":  {i.bearer(t, here), signerapi.TokenPath, asking(here, h.identity.Name), http.StatusUnauthorized},
		"with a pod's token for signers":  {i.token(t, here, toPod(here).forSigner()), signerapi.TokenPath, asking(here, h.identity.Name), http.StatusUnauthorized},
		"with a token without a pod":      {i.token(t, issuer, binding{}.forSigner()), signerapi.TokenPath, asking(here, h.identity.Name), http.StatusUnauthorized},
		"with a token for the API server": {i.token(t, issuer, toPod(issuer)), signerapi.TokenPath, asking(here, h.identity.Name), http.StatusUnauthorized},
	} {
		if a := i.askSigner(t, test.bearer, test.path, test.request); a.status != test.want {
			t.Errorf("%s: got %d %s, want %d", name, a.status, a.body, test.want)
		}
	}
	i.delete(t, here)
	eventually(t, "the deleted pod gets nothing", func() error {
		if a := i.askSigner(t, stolen, signerapi.TokenPath, asking(here, h.identity.Name)); a.status != http.StatusForbidden {
			return fmt.Errorf("got %d %s", a.status, a.body)
		}
		return nil
	})
}

// A revoked key no longer signs, is no longer published, and its tokens are no longer served.
func testKeyIsRevoked(t *testing.T, i *issuerProcess) {
	bearer := i.bearer(t, i.newHome(t).newPod(t, "rekeyed", "node-1"))
	before, _ := i.verify(t, i.grantedTo(t, bearer, vault))
	held := i.waitForGrant(t, bearer, i.get(t, bearer, issuerapi.GrantPath))
	var secret corev1.Secret
	must(t, i.Get(t.Context(), names.SigningKeys(), &secret), "read the signing keys")
	secret.Annotations = map[string]string{keyring.RevokeAnnotation: before}
	must(t, i.Update(t.Context(), &secret), "revoke the key")
	if a := <-held; a.status != http.StatusOK {
		t.Errorf("the sidecar's held request was not answered: %d %s", a.status, a.body)
	}
	a := i.ask(t, bearer, vault)
	if id := keyOf(t, a); id == before {
		t.Errorf("revoked key %s still signs, or its tokens are still served", id)
	}
	if i.published(t).Has(before) {
		t.Error("the revoked key is still published")
	}
	i.verify(t, i.grantedTo(t, bearer, vault))
}

// A signer that is killed and restarted fails no request. Its successor shows the issuer what has happened meanwhile.
func testSignerIsKilled(t *testing.T, i *issuerProcess, s *signerProcess) {
	h := i.newHome(t)
	bearer := i.bearer(t, h.newPod(t, "unaware", "node-1"))
	i.grantedTo(t, bearer, vault)
	s.stop(syscall.SIGKILL)
	meanwhile := i.bearer(t, h.newPod(t, "meanwhile", "node-1"))
	if a := i.ask(t, bearer, vault); a.status != http.StatusOK {
		t.Errorf("cached token without the signer: got %d %s", a.status, a.body)
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
			a := i.ask(t, bearer, "https://new.example")
			if a.status == http.StatusOK {
				return
			}
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				t.Errorf("new token without the signer: got %d %s", a.status, a.body)
				return
			}
		}
		t.Error("no new token within a minute of the signer's return")
	})
	s.start(t)
	asking.Wait()
	i.grantedTo(t, meanwhile, vault)
}

// keyOf returns the ID of the key that signed a token.
func keyOf(t *testing.T, a answer) string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	var response issuerapi.TokenResponse
	decode(t, []byte(a.body), &response)
	token, _, err := jwt.NewParser().ParseUnverified(response.AccessToken, jwt.MapClaims{})
	must(t, err, "read the token")
	return token.Header["kid"].(string)
}
