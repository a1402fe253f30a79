package token

import "testing"

func TestIssuersFor(t *testing.T) {
	t.Parallel()
	const (
		local = baseURL + "/" + tenant + "/v2.0"
		entra = "https://sts.windows.net/" + tenant + "/"
	)
	issuers := Issuers{BaseURL: baseURL, EntraResources: []string{"https://vault.azure.net", "https://storage.azure.com/"}}
	for name, test := range map[string]struct{ resource, want string }{
		"a resource of the cluster's own":      {"api://orders", local},
		"an Entra resource":                    {"https://vault.azure.net", entra},
		"an Entra resource with a slash more":  {"https://vault.azure.net/", entra},
		"an Entra resource with a slash less":  {"https://storage.azure.com", entra},
		"an Entra resource as it is listed":    {"https://storage.azure.com/", entra},
		"a resource below an Entra resource":   {"https://vault.azure.net/secrets", local},
		"a resource that begins as Entra's do": {"https://vault.azure.net.example.com", local},
		"no resource":                          {"", local},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := issuers.For(test.resource, tenant); got != test.want {
				t.Errorf("issuer = %s, want %s", got, test.want)
			}
		})
	}
}

func TestSameResource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		a, b string
		want bool
	}{
		"the same":           {"https://a", "https://a", true},
		"a slash at the end": {"https://a/", "https://a", true},
		"two slashes":        {"https://a//", "https://a", false},
		"another":            {"https://a", "https://b", false},
		"another case":       {"api://A", "api://a", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if SameResource(test.a, test.b) != test.want || SameResource(test.b, test.a) != test.want {
				t.Errorf("%q and %q are not said to be the same: %t", test.a, test.b, test.want)
			}
		})
	}
}
