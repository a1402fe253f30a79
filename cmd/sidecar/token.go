package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 10

// token asks IMDS for a token as an application does, and prints its claims, never the token itself. The chart's test runs
// it. It does not verify the signature, which is the resource server's job.
func token(ctx context.Context, arguments []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	address := flags.String("address", imdsAddress, "the `address` of IMDS")
	resource := flags.String("resource", "https://vault.azure.net", "the `resource` to ask a token for")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := askToken(ctx, *address, *resource)
	if err != nil {
		return err
	}
	claims, err := readClaims(answer, *resource)
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s gave a token for %s:\n%s\n", *address, *resource, claims)
	return err
}

// askToken sends IMDS's token request (imds-contract.md section 4) and returns the token.
func askToken(ctx context.Context, address, resource string) (string, error) {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		"http://"+address+"/metadata/identity/oauth2/token?"+query.Encode(), nil)
	if err != nil {
		return "", fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Metadata", "true")
	// The environment may name a proxy, which must not be used.
	client := &http.Client{Transport: &http.Transport{}}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask IMDS: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return "", fmt.Errorf("read IMDS's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("IMDS answers %s: %s", response.Status, body)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", errors.New("IMDS's answer is not in JSON")
	}
	return answer.AccessToken, nil
}

// readClaims returns the claims of a token that is for the resource, as indented JSON.
func readClaims(token, resource string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("it is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errors.New("its claims are not in base64url")
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", errors.New("its claims are not in JSON")
	}
	if claims.Audience != resource {
		return "", fmt.Errorf("it is for %q and not for %q", claims.Audience, resource)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, payload, "  ", "  "); err != nil {
		return "", errors.New("its claims are not in JSON")
	}
	return "  " + indented.String(), nil
}
