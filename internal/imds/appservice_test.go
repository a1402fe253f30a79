package imds

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

const (
	secretHeader   = "X-IDENTITY-HEADER: s3cret"
	appServiceBase = "/msi/token?api-version=2019-08-01&resource=https://vault.azure.net"
)

func (b *builder) buildAppService(secret string) *AppService {
	return NewAppService(b.tokens, secret, func() time.Time { return b.now })
}

func TestPoint34AppServiceAnswersWithTheSecret(t *testing.T) {
	t.Parallel()
	got := get(t, newIMDS().buildAppService("s3cret"), appServiceBase, secretHeader, "Metadata:")
	var fields map[string]string
	if err := json.Unmarshal([]byte(got.body), &fields); err != nil || got.status != http.StatusOK {
		t.Fatalf("got %d %s, error %v", got.status, got.body, err)
	}
	if fields["access_token"] != recordedToken.AccessToken || fields["expires_on"] != "1709895997" {
		t.Errorf("the answer is %s", got.body)
	}
}

func TestPoint34AppServiceRefusesWithoutTheSecret(t *testing.T) {
	t.Parallel()
	const wrong = `{"error":"unauthorized_client","error_description":"The header X-IDENTITY-HEADER is missing, or is not the value of IDENTITY_HEADER"}`
	for name, test := range map[string]struct {
		secret  string
		headers []string
	}{
		"no header":      {"s3cret", nil},
		"another header": {"s3cret", []string{"X-IDENTITY-HEADER: other"}},
		"part of it":     {"s3cret", []string{"X-IDENTITY-HEADER: s3c"}},
		"empty secret":   {"", []string{"X-IDENTITY-HEADER: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			get(t, newIMDS().buildAppService(test.secret), appServiceBase, test.headers...).want(t, http.StatusUnauthorized, wrong)
		})
	}
}

func TestAppServiceRefusesWhatIMDSRefuses(t *testing.T) {
	t.Parallel()
	service := newIMDS().buildAppService("s3cret")
	get(t, service, appServiceBase, secretHeader, "X-Forwarded-For: 10.0.0.1").want(t, http.StatusBadRequest,
		`{"error":"invalid_request","error_description":"Bad request. A request with the header X-Forwarded-For is not answered"}`)
	get(t, service, "/msi/token?api-version=2019-08-01", secretHeader).want(t, http.StatusBadRequest,
		`{"error":"invalid_request","error_description":"Required audience parameter not specified"}`)
	ask(t, service, http.MethodPost, appServiceBase, secretHeader).want(t, http.StatusMethodNotAllowed,
		`{"error":"method_not_allowed","error_description":"Method not allowed"}`)
}

func TestPoint7AppServiceAcceptsEverySpellingOfAnID(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]Selector{
		"&client_id=c":    {ClientID: "c"},
		"&object_id=o":    {ObjectID: "o"},
		"&principal_id=o": {ObjectID: "o"},
		"&mi_res_id=/a":   {ResourceID: "/a"},
	} {
		var asked []TokenRequest
		got := get(t, newIMDS().recordingTo(&asked).buildAppService("s3cret"), appServiceBase+query, secretHeader)
		if got.status != http.StatusOK || len(asked) != 1 || asked[0].Selector != want {
			t.Errorf("%s: got %d %s, source got %+v", query, got.status, got.body, asked)
		}
	}
}
