package entra

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
)

const cloud = "microsoftonline.com"

// discovery serves the OpenID Connect document of a version (tokens.md section 2). Its URLs are the stand-in's, its issuer is
// Microsoft's.
func (s *Server) discovery(version int) http.HandlerFunc {
	return s.ofTenant(func(request *http.Request, tenant string) any {
		base := "https://" + request.Host + "/" + tenant
		endpoints, keys := base+"/oauth2/", base+"/discovery/keys"
		if version == 2 {
			endpoints, keys = base+"/oauth2/v2.0/", base+"/discovery/v2.0/keys"
		}
		return map[string]any{
			"token_endpoint": endpoints + "token",
			"token_endpoint_auth_methods_supported": []string{
				"client_secret_post", "private_key_jwt", "client_secret_basic",
			},
			"jwks_uri":                              keys,
			"response_modes_supported":              []string{"query", "fragment", "form_post"},
			"subject_types_supported":               []string{"pairwise"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
			"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
			"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
			"issuer":                                issuerOf(version, tenant),
			"request_uri_parameter_supported":       false,
			"userinfo_endpoint":                     "https://graph.microsoft.com/oidc/userinfo",
			"authorization_endpoint":                endpoints + "authorize",
			"device_authorization_endpoint":         endpoints + "devicecode",
			"end_session_endpoint":                  endpoints + "logout",
			"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "ver", "tid"},
			"tenant_region_scope":                   nil,
			"cloud_instance_name":                   cloud,
			"cloud_graph_host_name":                 "graph.windows.net",
			"msgraph_host":                          "graph.microsoft.com",
		}
	})
}

// keys serves the JWKS of a version.
func (s *Server) keys(version int) http.HandlerFunc {
	return s.ofTenant(func(_ *http.Request, tenant string) any {
		key := s.key.jwk()
		if version == 2 {
			key.Cloud, key.Issuer = cloud, issuerOf(2, tenant)
		}
		return map[string]any{"keys": []jwk{key}}
	})
}

// ofTenant serves a document of a tenant that exists.
func (s *Server) ofTenant(document func(request *http.Request, tenant string) any) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		tenant := strings.ToLower(request.PathValue("tenant"))
		if !s.table.hasTenant(tenant) {
			s.refuseDocument(writer, request, "invalid_tenant", noTenant(tenant))
			return
		}
		writer.Header().Set("Cache-Control", "max-age=86400, private")
		writeJSON(writer, http.StatusOK, document(request, tenant))
	}
}

func (s *Server) refuseDocument(writer http.ResponseWriter, request *http.Request, name string, refused *refusal) {
	asked := &ask{now: s.Now(), host: request.Host, trace: uuid.NewString(), correlation: uuid.NewString()}
	writeJSON(writer, http.StatusBadRequest, refused.body(name, asked))
}

// microsoftHosts are the hosts of the public cloud, which are one authority.
var microsoftHosts = []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"}

type instanceMetadata struct {
	PreferredNetwork string   `json:"preferred_network"`
	PreferredCache   string   `json:"preferred_cache"`
	Aliases          []string `json:"aliases"`
}

// instance serves what SDKs ask before they use an authority: whether its host is one of Entra's, or here the
// stand-in's own.
func (s *Server) instance(writer http.ResponseWriter, request *http.Request) {
	endpoint, err := url.Parse(request.URL.Query().Get("authorization_endpoint"))
	own := append([]string{request.Host}, s.Hosts...)
	if err != nil || endpoint.Scheme != "https" || !slices.Contains(slices.Concat(microsoftHosts, own), endpoint.Host) {
		s.refuseDocument(writer, request, "invalid_instance", refuse(50049, "Unknown or invalid instance."))
		return
	}
	metadata := []instanceMetadata{{"login.microsoftonline.com", "login.windows.net", microsoftHosts}}
	for _, host := range own {
		if !slices.Contains(microsoftHosts, host) {
			metadata = append(metadata, instanceMetadata{host, host, []string{host}})
		}
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(endpoint.Path, "/"), "/")
	writer.Header().Set("Cache-Control", "max-age=86400, private")
	writeJSON(writer, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + endpoint.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata":                  metadata,
	})
}
