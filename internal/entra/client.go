package entra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client exchanges assertions.
type Client struct {
	// HTTP sends the requests. It must not follow redirects, which would lead an assertion elsewhere: see NewHTTPClient.
	HTTP *http.Client

	Now func() time.Time
}

// Request asks for an access token.
type Request struct {
	// Authority is the URL of the token endpoints, without a trailing slash. TenantID and ClientID are GUIDs.
	Authority, TenantID, ClientID string

	// Resource is the audience of the access token.
	Resource string

	// Assertion proves to Entra that the caller may have the token.
	Assertion string
}

// Token is an access token. Only the answer to a request may contain it.
type Token struct {
	AccessToken string

	// Issued is when the token was asked for, and Expiry when it expires, in whole seconds: IMDS tells no more, and a token must not be
	// handed out after the time that is told.
	Issued, Expiry time.Time

	// RefreshAt is when Entra wants the token to be renewed; zero if it does not say.
	RefreshAt time.Time
}

const (
	// exchangeTimeout bounds an exchange. A sidecar that gives up earlier finds the token cached when it asks again.
	exchangeTimeout = 8 * time.Second

	// maxAnswer bounds an answer. Access tokens have a few kilobytes.
	maxAnswer = 256 << 10

	// maxLife bounds the life of a token. Those with continuous access evaluation live for up to 28 hours.
	maxLife = 48 * time.Hour
)

var errRedirect = errors.New("the authority redirects; assertions are not sent elsewhere")

// NewHTTPClient returns an HTTP client for a Client.
func NewHTTPClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}
}

// Exchange exchanges an assertion for a token. The error is an *Error if Entra has answered.
func (c *Client) Exchange(ctx context.Context, asked Request) (*Token, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {asked.ClientID},
		"scope":                 {asked.Resource + "/.default"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {asked.Assertion},
	}
	endpoint := asked.Authority + "/" + url.PathEscape(asked.TenantID) + "/oauth2/v2.0/token"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("make the request for a token: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	started := c.Now()
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("exchange the assertion: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", asked.Authority, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, readError(response, content)
	}
	return readToken(content, asked.Authority, started)
}

// seconds is a number of seconds that some servers write as a string.
type seconds int64

// UnmarshalJSON reads a number or a string of digits.
func (s *seconds) UnmarshalJSON(content []byte) error {
	number, err := strconv.ParseInt(strings.Trim(string(content), `"`), 10, 64)
	*s = seconds(number)
	return err
}

func (s seconds) duration() time.Duration { return time.Duration(s) * time.Second }

// readToken reads a token. Its errors quote nothing of the answer.
func readToken(content []byte, authority string, started time.Time) (*Token, error) {
	var answer struct {
		AccessToken string  `json:"access_token"`
		TokenType   string  `json:"token_type"`
		ExpiresIn   seconds `json:"expires_in"`
		RefreshIn   seconds `json:"refresh_in"`
	}
	if json.Unmarshal(content, &answer) != nil || answer.AccessToken == "" || !strings.EqualFold(answer.TokenType, "Bearer") {
		return nil, fmt.Errorf("%s answers with something that is no token: is it Entra's authority?", authority)
	}
	life := answer.ExpiresIn.duration()
	if answer.ExpiresIn <= 0 || answer.ExpiresIn > seconds(maxLife/time.Second) {
		return nil, fmt.Errorf("%s answers with a token that is valid for %d s", authority, answer.ExpiresIn)
	}
	token := &Token{AccessToken: answer.AccessToken, Issued: started, Expiry: started.Add(life).Truncate(time.Second)}
	if answer.RefreshIn > 0 && answer.RefreshIn < answer.ExpiresIn {
		token.RefreshAt = started.Add(answer.RefreshIn.duration())
	}
	return token, nil
}
