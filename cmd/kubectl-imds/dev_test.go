package main

import (
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
)

const (
	defaultTenant = "28a37578-cd01-54f5-804a-52ef0695644e"
	otherTenant   = "abcdefab-1111-4111-8111-111111111111"

	// The IDs of "orders" in the default tenant, computed by another implementation of UUIDv5.
	ordersClient    = "04e54d24-b694-5386-b0c1-a1ae627d4585"
	ordersPrincipal = "13d2e98a-2feb-5712-8a44-168d61a67eb0"
	paymentsClient  = "33333333-3333-4333-8333-333333333333"
	paymentsID      = "/subscriptions/s/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine"
)

const orders = `
apiVersion: kube-imds.io/v1alpha1
kind: ManagedIdentity
metadata:
  name: orders
spec:
  assumableBy:
  - namespaces: [shop]
    serviceAccounts: [orders]
`

const payments = `---
apiVersion: kube-imds.io/v1alpha1
kind: ManagedIdentity
metadata:
  name: payments
spec:
  tenantID: ` + otherTenant + `
  clientID: ` + paymentsClient + `
  resourceID: ` + paymentsID + `
  allowedResources: [https://vault.azure.net]
  assumableBy:
  - namespaceSelector: {matchLabels: {team: shop}}
    serviceAccounts: ["*"]
`

const binding = `---
apiVersion: kube-imds.io/v1alpha1
kind: IdentityBinding
metadata:
  name: shop
spec:
  serviceAccounts: [orders]
  identities: [orders, payments]
  defaultIdentity: payments
`

// asOrders holds the flags of a pod that both identities admit.
var asOrders = []string{"--namespace", "shop", "--service-account", "orders", "--namespace-labels", "team=shop"}

func TestTokenOfGeneratedIdentityVerifies(t *testing.T) {
	t.Parallel()
	p := start(t)
	status, body := p.ask(vault)
	if status != http.StatusOK || body.Resource != vault {
		t.Fatalf("got %d %s", status, body.Description)
	}
	claims := p.verify(body.AccessToken, p.baseURL()+"/"+defaultTenant+"/v2.0", vault)
	if claims["tid"] != defaultTenant || claims["appid"] != body.ClientID {
		t.Errorf("claims = %v", claims)
	}
	p.stop(syscall.SIGTERM)
	if log := p.log.String(); strings.Contains(log, body.AccessToken) || !strings.Contains(log, body.ClientID) {
		t.Errorf("log contains the token, or no line about it:\n%s", log)
	}
}

func TestAnotherTenant(t *testing.T) {
	t.Parallel()
	p := start(t, "--tenant", strings.ToUpper(otherTenant))
	_, body := p.ask(vault)
	p.verify(body.AccessToken, p.baseURL()+"/"+otherTenant+"/v2.0", vault)
}

func TestFirstIdentityInTheFileIsTheDefault(t *testing.T) {
	t.Parallel()
	p := start(t, append(asOrders, "-f", write(t, orders+payments))...)
	_, body := p.ask(vault)
	if body.ClientID != ordersClient {
		t.Errorf("default's client ID = %s, want %s", body.ClientID, ordersClient)
	}
	for _, line := range []string{"# identity orders (the default)\n", "# identity payments\n", ordersClient, ordersPrincipal, paymentsClient, paymentsID} {
		if !strings.Contains(p.printed, line) {
			t.Errorf("%q is not printed:\n%s", line, p.printed)
		}
	}
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	p := start(t, append(asOrders, "-f", write(t, orders+payments))...)
	for name, test := range map[string]struct {
		parameter, value string
		client           string
	}{
		"client ID":               {"client_id", paymentsClient, paymentsClient},
		"object ID":               {"object_id", ordersPrincipal, ordersClient},
		"resource ID":             {"msi_res_id", paymentsID, paymentsClient},
		"resource ID in capitals": {"mi_res_id", strings.ToUpper(paymentsID), paymentsClient},
	} {
		status, body := p.ask(vault, test.parameter, test.value)
		if status != http.StatusOK || body.ClientID != test.client {
			t.Errorf("%s: got %d for %q %s, want %s", name, status, body.ClientID, body.Description, test.client)
		}
	}
	_, body := p.ask(vault, "client_id", paymentsClient)
	p.verify(body.AccessToken, p.baseURL()+"/"+otherTenant+"/v2.0", vault)
}

func TestResourceThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	p := start(t, append(asOrders, "-f", write(t, orders+payments))...)
	status, body := p.ask("https://other", "client_id", paymentsClient)
	if status != http.StatusBadRequest || body.Error != "invalid_resource" {
		t.Errorf("got %d %s", status, body.Error)
	}
}

func TestBindingsDecide(t *testing.T) {
	t.Parallel()
	p := start(t, append(asOrders, "-f", write(t, orders+payments+binding))...)
	if _, body := p.ask(vault); body.ClientID != paymentsClient {
		t.Errorf("default's client ID = %q, want that of the binding's default: %s", body.ClientID, body.Description)
	}
}

func TestBindingOfAnotherServiceAccount(t *testing.T) {
	t.Parallel()
	p := start(t, "--namespace", "shop", "-f", write(t, orders+payments+binding))
	status, body := p.ask(vault)
	if status != http.StatusBadRequest || body.Description != "Identity not found" {
		t.Errorf("got %d %s", status, body.Description)
	}
	p.stop(syscall.SIGTERM)
	if log := p.log.String(); !strings.Contains(log, "level=WARN msg=\"requests that name no identity are refused\" reason=NoIdentity") {
		t.Errorf("no warning in the log:\n%s", log)
	}
}

func TestIdentityThatDoesNotAdmitThePod(t *testing.T) {
	t.Parallel()
	const reason = `ManagedIdentity "payments" does not admit the ServiceAccount "orders" of namespace "shop"`
	p := start(t, "--namespace", "shop", "--service-account", "orders", "-f", write(t, orders+payments))
	status, body := p.ask(vault, "client_id", paymentsClient)
	if status != http.StatusBadRequest || body.Description != "Identity not found" {
		t.Errorf("got %d %s", status, body.Description)
	}
	if strings.Contains(p.printed, "# identity payments") || !strings.Contains(p.printed, "# not granted: "+reason) {
		t.Errorf("the identity is not printed as not granted:\n%s", p.printed)
	}
	if _, body := p.ask(vault); body.ClientID != ordersClient {
		t.Errorf("other identity's client ID = %q: %s", body.ClientID, body.Description)
	}
	p.stop(syscall.SIGTERM)
	if log := p.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(strings.ReplaceAll(log, `\"`, `"`), reason) {
		t.Errorf("no warning in the log:\n%s", log)
	}
}

func TestAppService(t *testing.T) {
	t.Parallel()
	p := start(t)
	target := p.exported["IDENTITY_ENDPOINT"] + "?api-version=2019-08-01&resource=" + url.QueryEscape(vault)
	var body answer
	if status := p.get(target, "X-IDENTITY-HEADER", p.exported["IDENTITY_HEADER"], &body); status != http.StatusOK {
		t.Errorf("got %d %s", status, body.Description)
	}
	p.verify(body.AccessToken, p.baseURL()+"/"+defaultTenant+"/v2.0", vault)
	if status := p.get(target, "X-IDENTITY-HEADER", "other", &body); status != http.StatusUnauthorized {
		t.Errorf("status with another header = %d", status)
	}
	if p.exported["IDENTITY_HEADER"] == start(t).exported["IDENTITY_HEADER"] {
		t.Error("the header is the same on every start")
	}
}

func TestInstanceMetadata(t *testing.T) {
	t.Parallel()
	p := start(t, "--location", "mars", "--resource-group", "group")
	var body struct{ Compute map[string]any }
	p.get(p.baseURL()+"/metadata/instance?api-version=2021-02-01", "Metadata", "true", &body)
	for field, want := range map[string]string{
		"name": "dev", "location": "mars", "resourceGroupName": "group", "azEnvironment": "AzurePublicCloud",
		"vmId": "9ea14a9b-8acd-5057-a9a6-6e6068e65b82",
	} {
		if body.Compute[field] != want {
			t.Errorf("%s = %v, want %s", field, body.Compute[field], want)
		}
	}
}

func TestPathsThatSDKsBuildFromTheVariable(t *testing.T) {
	t.Parallel()
	p := start(t)
	for _, path := range []string{"//metadata/identity/oauth2/token", "/metadata/identity/oauth2/token/"} {
		var body answer
		if status := p.get(p.baseURL()+path+"?api-version=2018-02-01&resource=r", "Metadata", "true", &body); status != http.StatusOK {
			t.Errorf("%s: status = %d", path, status)
		}
	}
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t)
	for host, want := range map[string]int{
		"": http.StatusOK, "localhost:80": http.StatusOK, "[::1]:80": http.StatusOK, "169.254.169.254": http.StatusOK,
		"example.com": http.StatusBadRequest, "127.0.0.1.example.com": http.StatusBadRequest,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			p.baseURL()+"/metadata/identity/oauth2/token?api-version=2018-02-01&resource=r", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Metadata", "true")
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("host %q: status = %d, want %d", host, response.StatusCode, want)
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]bool{"debug": true, "info": false} {
		p := start(t, "--log-level", level)
		_, body := p.ask("https://logged")
		p.stop(syscall.SIGTERM)
		log := p.log.String()
		if got := strings.Contains(log, "level=DEBUG msg=request"); got != want {
			t.Errorf("level %s: requests are logged: %v\n%s", level, got, log)
		}
		if strings.Contains(log, body.AccessToken) || strings.Contains(log, p.exported["IDENTITY_HEADER"]) {
			t.Errorf("level %s: log contains a secret:\n%s", level, log)
		}
	}
}

func TestInterruptEndsTheProcess(t *testing.T) {
	t.Parallel()
	start(t).stop(syscall.SIGINT)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	address := strings.TrimPrefix(start(t).baseURL(), "http://")
	if message := refuse(t, "", "--listen", address); !strings.Contains(message, "the port is in use") || !strings.Contains(message, "--listen") {
		t.Errorf("got %s", message)
	}
}

func TestInvalidInputIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		input     string
		arguments []string
		want      string
	}{
		"all addresses":          {"", []string{"--listen", "0.0.0.0:0"}, `"0.0.0.0" is not a loopback address`},
		"all addresses, no host": {"", []string{"--listen", ":0"}, `"" is not a loopback address`},
		"host name":              {"", []string{"--listen", "example.com:0"}, `"example.com" is not a loopback address`},
		"no port":                {"", []string{"--listen", "127.0.0.1"}, "as in 127.0.0.1:8253"},
		"tenant is not a GUID":   {"", []string{"--tenant", "contoso"}, `read --tenant: "contoso" is not a GUID`},
		"invalid namespace":      {"", []string{"--namespace", "A b"}, `read --namespace: "A b"`},
		"invalid ServiceAccount": {"", []string{"--service-account", "A"}, `read --service-account: "A"`},
		"unknown level":          {"", []string{"--log-level", "loud"}, `invalid argument "loud" for "--log-level"`},
		"an argument":            {"", []string{"identities.yaml"}, `unknown command "identities.yaml"`},
		"missing file":           {"", []string{"-f", "nowhere.yaml"}, "nowhere.yaml"},
		"an unknown field":       {orders + "  admits: []\n", []string{"-f", "-"}, `standard input, document 1: ManagedIdentity "orders": there is no field spec.admits`},
		"duplicate IDs": {orders + payments + strings.Replace(payments, "name: payments", "name: other", 1),
			[]string{"-f", "-"}, `the ManagedIdentities "payments" and "other" have one of the same IDs`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if message := refuse(t, test.input, test.arguments...); !strings.Contains(message, test.want) {
				t.Errorf("got %q, want %q", message, test.want)
			}
		})
	}
}
