package signerclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/failure"
	"github.com/kube-imds/kube-imds/internal/reply"
	"github.com/kube-imds/kube-imds/internal/signerapi"
)

const (
	// connectTimeout is short because the signer is in the cluster, and because a connection may lead to a replica that
	// is gone: kube-proxy balances to it until it hears of that, which takes it many seconds after an outage of the API
	// server. The patience below has room for a dozen such connections.
	connectTimeout   = 250 * time.Millisecond
	handshakeTimeout = time.Second

	// attemptTimeout bounds one attempt, and patience all of them together: less than a sidecar waits for its issuer.
	attemptTimeout = 1500 * time.Millisecond
	patience       = 4 * time.Second

	// refusalPatience is how long a refusal is not believed: the issuer has granted, so the replica may only lag behind.
	refusalPatience = time.Second

	// minPause is the pause before the second attempt. Each later pause is twice as long, up to maxPause.
	minPause = 20 * time.Millisecond
	maxPause = 500 * time.Millisecond
)

// Client asks the signer. It keeps a few connections. After every failure it makes a new one, which may lead to another
// replica.
type Client struct {
	url       string
	tokenFile string
	http      *http.Client
}

// Options say where the signer is and how to verify it.
type Options struct {
	// URL is the signer's, without a trailing slash.
	URL string

	// TokenFile holds the issuer's own ServiceAccount token for the signer. It is read for every request.
	TokenFile string

	// Address is where to connect, if not to the URL's host.
	Address string

	// Roots returns the authorities of the signer's certificate; nil while none is known.
	Roots func() *x509.CertPool
}

// New returns a client.
func New(options Options) *Client {
	return &Client{url: options.URL, tokenFile: options.TokenFile, http: &http.Client{Transport: &http.Transport{
		// The roots are read for each connection, because they change.
		DialTLSContext: options.dial,
		// HTTP/1.1: a request that times out ends its connection, so the next attempt gets another one.
		MaxIdleConnsPerHost: 2,
		MaxConnsPerHost:     64,
		IdleConnTimeout:     30 * time.Second,
	}}}
}

var (
	errNoRoots      = errors.New("the authority of the signer's certificate is not known yet")
	errNotConnected = errors.New("no connection to the signer")
)

func (o Options) dial(ctx context.Context, network, address string) (net.Conn, error) {
	roots := o.Roots()
	if roots == nil {
		return nil, errNoRoots
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if o.Address != "" {
		address = o.Address
	}
	connection, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotConnected, err)
	}
	secured := tls.Client(connection, &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13})
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return secured, nil
}

// Token asks for a token.
func (c *Client) Token(ctx context.Context, request signerapi.TokenRequest) (*signerapi.TokenResponse, error) {
	answer := &signerapi.TokenResponse{}
	return answer, c.ask(ctx, signerapi.TokenPath, request, answer)
}

// Assertion asks for an assertion for Entra ID.
func (c *Client) Assertion(ctx context.Context, request signerapi.AssertionRequest) (*signerapi.AssertionResponse, error) {
	answer := &signerapi.AssertionResponse{}
	return answer, c.ask(ctx, signerapi.AssertionPath, request, answer)
}

// Outcome tells what Entra ID answered.
func (c *Client) Outcome(ctx context.Context, request signerapi.OutcomeRequest) error {
	return c.ask(ctx, signerapi.OutcomePath, request, &struct{}{})
}

// Attest asks for an attested document.
func (c *Client) Attest(ctx context.Context, request signerapi.AttestationRequest) ([]byte, error) {
	var answer signerapi.AttestationResponse
	err := c.ask(ctx, signerapi.AttestationPath, request, &answer)
	return answer.Signature, err
}

// View asks one replica for the view of the issuer's node. It lasts until the context ends.
func (c *Client) View(ctx context.Context) (io.ReadCloser, error) {
	// The attempt is bounded until the signer answers, and the view is not.
	ctx, cancel := context.WithCancel(ctx)
	attempt := time.AfterFunc(attemptTimeout, cancel)
	response, err := c.send(ctx, http.MethodGet, signerapi.ViewPath, nil)
	if err == nil && !attempt.Stop() {
		_ = response.Body.Close()
		err = fmt.Errorf("ask the signer: %w", context.DeadlineExceeded)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer cancel()
	defer func() { _ = response.Body.Close() }()
	content, _ := io.ReadAll(io.LimitReader(response.Body, signerapi.MaxAnswerBytes))
	return nil, refusalOf(response, content)
}

// ask asks replicas until one decides. The error is a *failure.Failure.
func (c *Client) ask(ctx context.Context, path string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("render a request to the signer: %w", err)
	}
	asked := time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := c.attempt(ctx, path, body, answer)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			// An attempt that runs out of patience says less than the one before.
			last = err
		}
		if unpublished(err) {
			return err
		}
		if refusal, refused := asRefusal(err); refused && (refusal.Kind == failure.Throttled || time.Since(asked) >= refusalPatience) {
			return refusal
		}
		if errors.Is(err, errNotConnected) {
			// It cost the signer nothing, and the next connection may lead to another replica.
			pause = minPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return failure.NotNow(last.Error())
		}
	}
}

// unpublished reports whether no key may sign assertions yet, on which all replicas agree and which takes a person to change.
func unpublished(err error) bool {
	failed, ok := errors.AsType[*failure.Failure](err)
	return ok && failed.Reason == failure.ReasonNotPublished
}

// asRefusal returns the failure if a replica decided, instead of being away.
func asRefusal(err error) (*failure.Failure, bool) {
	refusal, ok := errors.AsType[*failure.Failure](err)
	return refusal, ok && refusal.Kind != failure.Unavailable
}

func (c *Client) attempt(ctx context.Context, path string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	response, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, signerapi.MaxAnswerBytes))
	if err != nil {
		c.http.CloseIdleConnections()
		return fmt.Errorf("read the signer's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return refusalOf(response, content)
	}
	if err := json.Unmarshal(content, answer); err != nil {
		return errors.New("read the signer's answer: it is not the JSON that it should be")
	}
	return nil
}

// send sends a request with the issuer's own token. After a failure the next one gets another connection.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	bearer, err := os.ReadFile(c.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's own token: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request to the signer: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(bearer)))
	response, err := c.http.Do(request)
	if err != nil {
		c.http.CloseIdleConnections()
		return nil, fmt.Errorf("ask the signer: %w", err)
	}
	return response, nil
}

// refusalOf returns the signer's refusal as the pod learns it. If the signer rejects the issuer itself, that is not the
// pod's fault and will pass.
func refusalOf(response *http.Response, content []byte) error {
	var refusal signerapi.Error
	if err := json.Unmarshal(content, &refusal); err != nil || response.StatusCode == http.StatusUnauthorized {
		return failure.NotNow(fmt.Sprintf("the signer answers %d: %s", response.StatusCode, refusal.Detail))
	}
	wait, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return &failure.Failure{
		Kind: reply.KindOf(response.StatusCode, refusal.Code), Description: refusal.Description,
		Reason: refusal.Reason, Detail: "the signer: " + refusal.Detail, RetryAfter: time.Duration(wait) * time.Second,
	}
}
