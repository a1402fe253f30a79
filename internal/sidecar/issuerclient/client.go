package issuerclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// Options say where the issuer is, and how it and the pod authenticate.
type Options struct {
	// URL is the issuer's, such as https://kube-imds-issuer.kube-imds-system.svc. The certificate must have its host name.
	URL string

	// CA has the PEM certificates of the authorities from the pod's injection. CAFile, if set, has the ones trusted now,
	// once the kubelet has written it.
	CA, CAFile string

	// Node is the pod's node. A certificate that names another node is refused; "" accepts any.
	Node string

	// TokenFile holds the pod's ServiceAccount token. It is read for every request, because the kubelet renews it.
	TokenFile string

	// AssertionsFolder holds the pod's ServiceAccount tokens for Entra ID, which the kubelet renews; "" if it has none.
	AssertionsFolder string

	// Logger logs changes of the authorities; nil logs nothing.
	Logger *slog.Logger
}

// Client talks to the issuer of the pod's node.
type Client struct {
	connector

	base             string
	tokenFile        string
	assertionsFolder string
}

// The time limits of the issuer. An application waits for all of it.
const (
	dialTimeout    = 2 * time.Second
	requestTimeout = 5 * time.Second
)

// New returns a client. It does not connect yet.
func New(options Options) (*Client, error) {
	base, err := url.Parse(options.URL)
	if err != nil {
		return nil, fmt.Errorf("read the issuer's URL: %w", err)
	}
	if base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("the issuer's URL %q is not an https URL", options.URL)
	}
	if options.TokenFile == "" {
		return nil, errors.New("the file of the ServiceAccount token is not named")
	}
	trust, err := newTrust([]byte(options.CA), options.CAFile, cmp.Or(options.Logger, slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	return &Client{
		connector: connector{host: base.Hostname(), node: options.Node, trust: trust},
		base:      strings.TrimSuffix(base.String(), "/"),
		tokenFile: options.TokenFile, assertionsFolder: options.AssertionsFolder,
	}, nil
}

// maxTokenBytes bounds the ServiceAccount token.
const maxTokenBytes = 16 << 10

// errTooLong is the error of an answer or file beyond its bound.
var errTooLong = errors.New("it is too long")

// ask sends a request with an optional JSON body, and parses the JSON answer.
func (c *Client) ask(ctx context.Context, method, path string, question, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var header http.Header
	var body []byte
	if question != nil {
		var err error
		if body, err = json.Marshal(question); err != nil {
			return fmt.Errorf("render a request to the issuer: %w", err)
		}
		header = http.Header{"Content-Type": {"application/json"}}
	}
	response, err := c.call(ctx, c.connections(), method, path, header, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusalOf(response)
	}
	return decode(response, answer)
}

// call sends a request with the pod's ServiceAccount token. The caller closes the response body.
func (c *Client) call(ctx context.Context, over *connections, method, path string, header http.Header, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a request to the issuer: %w", err)
	}
	token, err := readToken(c.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("read the ServiceAccount token: %w", err)
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Authorization", "Bearer "+token)
	// Requests change nothing at the issuer, so the transport may resend one when a kept connection turns out to be closed.
	// An empty list is not sent.
	request.Header["Idempotency-Key"] = []string{}
	response, err := over.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the issuer: %w", explain(err))
	}
	return response, nil
}

// readToken reads a ServiceAccount token.
func readToken(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	token, err := readAtMost(file, maxTokenBytes)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(token)), nil
}

// assertions reads the pod's ServiceAccount tokens for Entra ID.
func (c *Client) assertions() ([]string, error) {
	if c.assertionsFolder == "" {
		return nil, nil
	}
	paths, err := filepath.Glob(filepath.Join(c.assertionsFolder, "*"))
	if err != nil {
		return nil, fmt.Errorf("list the assertions: %w", err)
	}
	var assertions []string
	for _, path := range paths[:min(len(paths), issuerapi.MaxAssertions)] {
		assertion, err := readToken(path)
		if err != nil {
			return nil, fmt.Errorf("read an assertion: %w", err)
		}
		assertions = append(assertions, assertion)
	}
	return assertions, nil
}

// decode parses a response body.
func decode(response *http.Response, into any) error {
	body, err := readAtMost(response.Body, issuerapi.MaxAnswerBytes)
	if err != nil {
		return fmt.Errorf("read the issuer's answer: %w", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		// A JSON error quotes a single character at the most.
		return fmt.Errorf("read the issuer's answer: %w", err)
	}
	return nil
}

func readAtMost(reader io.Reader, most int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(reader, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, errTooLong
	}
	return content, nil
}
