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
		"another resource":                 {"api://orders", local},
		"Entra resource":                   {"https://vault.azure.net", entra},
		"Entra resource with added slash":  {"https://vault.azure.net/", entra},
		"Entra resource without its slash": {"https://storage.azure.com", entra},
		"Entra resource as listed":         {"https://storage.azure.com/", entra},
		"below an Entra resource":          {"https://vault.azure.net/secrets", local},
		"prefix of an Entra resource":      {"https://vault.azure.net.example.com", local},
		"no resource":                      {"", local},
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
				t.Errorf("sameResource(%q, %q) != %t", test.a, test.b, test.want)
			}
		})
	}
}
