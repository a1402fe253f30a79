package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// request is one HTTP request.
type request struct {
	method  string
	url     string
	headers []string
	body    string
	// dial is the address to connect to instead of the URL's.
	dial string
	// binary makes get print the body in base64.
	binary bool
	// authorities are the certificate authorities to trust, in PEM.
	authorities string
	timeout     time.Duration
}

// answer is a response with headers and a body, or an error.
type answer struct {
	Status  int         `json:"status"`
	Headers http.Header `json:"headers,omitempty"`
	Body    string      `json:"body,omitempty"`
	Error   string      `json:"error,omitempty"`
}

// get sends one HTTP request and prints the answer as JSON. An answer of any status is a success.
func get(ctx context.Context, arguments []string) error {
	var r request
	flags := flag.NewFlagSet("get", flag.ContinueOnError)
	flags.StringVar(&r.method, "method", http.MethodGet, "the `method`")
	flags.Func("header", "a `header`, as in \"Metadata: true\"; may be given again", func(header string) error {
		r.headers = append(r.headers, header)
		return nil
	})
	flags.StringVar(&r.body, "body", "", "the body")
	flags.BoolVar(&r.binary, "binary", false, "print the body in base64")
	flags.StringVar(&r.dial, "dial", "", "connect to this `address` instead of the URL's")
	bearerFile := flags.String("bearer-file", "", "send the content of this `file` as the bearer token")
	bearer := flags.String("bearer", "", "send this bearer `token`")
	flags.DurationVar(&r.timeout, "timeout", 15*time.Second, "give up after this `time`")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("get takes one URL, got %d", flags.NArg())
	}
	r.url = flags.Arg(0)
	r.authorities = os.Getenv("PROBE_CA")
	if *bearerFile != "" {
		content, err := os.ReadFile(*bearerFile)
		if err != nil {
			return fmt.Errorf("read the bearer token: %w", err)
		}
		*bearer = string(content)
	}
	if *bearer != "" {
		r.headers = append(r.headers, "Authorization: Bearer "+strings.TrimSpace(*bearer))
	}
	return json.NewEncoder(os.Stdout).Encode(send(ctx, r))
}

func send(ctx context.Context, r request) answer {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	message, err := http.NewRequestWithContext(ctx, r.method, r.url, strings.NewReader(r.body))
	if err != nil {
		return answer{Error: err.Error()}
	}
	for _, header := range r.headers {
		name, value, _ := strings.Cut(header, ":")
		message.Header.Set(name, strings.TrimSpace(value))
	}
	response, err := client(r).Do(message)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer{Error: err.Error()}
	}
	text := string(body)
	if r.binary {
		text = base64.StdEncoding.EncodeToString(body)
	}
	return answer{Status: response.StatusCode, Headers: response.Header, Body: text}
}

func client(r request) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	if r.authorities != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(r.authorities))
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	if r.dial != "" {
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, r.dial)
		}
	}
	return &http.Client{Transport: transport}
}
