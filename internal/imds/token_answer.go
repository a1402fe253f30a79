package imds

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// tokenQuestion is a parsed token request and the last answer to it. Between two seconds an answer stays the same
// to the byte, so a cached token costs two look-ups and one write.
type tokenQuestion struct {
	request  TokenRequest
	rendered atomic.Pointer[renderedToken]
}

// renderedToken is the body of an answer, good for one token in one second.
type renderedToken struct {
	token  *Token
	second int64

	body          []byte
	contentLength []string
}

// answer writes the token.
func (q *tokenQuestion) answer(w http.ResponseWriter, token *Token, now time.Time) {
	second := now.Unix()
	rendered := q.rendered.Load()
	if rendered == nil || rendered.token != token || rendered.second != second {
		rendered = renderToken(token, q.request.Resource, second)
		q.rendered.Store(rendered)
	}
	setHeader(w.Header(), contentJSON, rendered.contentLength)
	w.Header()["Cache-Control"] = noStore
	// A client that went away is no concern of ours.
	_, _ = w.Write(rendered.body)
}

// issuedBefore is how long Entra's tokens are valid before they are issued, and one second: recorded answers have
// it between expires_on, not_before and ext_expires_in.
const issuedBefore = 301

// renderToken renders the eight fields in their order, all of them strings (imds-contract.md section 4).
func renderToken(token *Token, resource string, now int64) *renderedToken {
	expires, notBefore := token.ExpiresOn.Unix(), token.NotBefore.Unix()
	body := encode(struct {
		AccessToken  string `json:"access_token"`
		ClientID     string `json:"client_id"`
		ExpiresIn    string `json:"expires_in"`
		ExpiresOn    string `json:"expires_on"`
		ExtExpiresIn string `json:"ext_expires_in"`
		NotBefore    string `json:"not_before"`
		Resource     string `json:"resource"`
		TokenType    string `json:"token_type"`
	}{
		AccessToken:  token.AccessToken,
		ClientID:     token.ClientID,
		ExpiresIn:    digits(expires - now),
		ExpiresOn:    digits(expires),
		ExtExpiresIn: digits(expires - notBefore - issuedBefore),
		NotBefore:    digits(notBefore),
		Resource:     resource,
		TokenType:    "Bearer",
	})
	return &renderedToken{token, now, slices.Clip(body), []string{strconv.Itoa(len(body))}}
}

// digits renders a number of seconds. Rust's SDK reads digits alone, so there is never a sign.
func digits(seconds int64) string { return strconv.FormatInt(max(seconds, 0), 10) }
