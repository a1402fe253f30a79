package issuerclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

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
	token, err := c.serviceAccountToken()
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

func (c *Client) serviceAccountToken() (string, error) {
	file, err := os.Open(c.tokenFile)
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
