package entra

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// backdating is how far iat and nbf are in the past.
const backdating = 5 * time.Minute

// issue answers with a token.
func (s *Server) issue(identity Identity, asked *ask) answer {
	signed, err := s.sign(identity, asked)
	if err != nil {
		return refuse(90033, "A transient error has occurred.").answer(asked)
	}
	if asked.version == 1 {
		return answer{status: http.StatusOK, body: s.bodyOfVersion1(asked, signed)}
	}
	body := map[string]any{
		"token_type": "Bearer", "expires_in": asked.expiresIn, "ext_expires_in": asked.expiresIn, "access_token": signed,
	}
	if s.RefreshIn != 0 {
		body["refresh_in"] = s.RefreshIn
	}
	return answer{status: http.StatusOK, body: body}
}

// bodyOfVersion1 has numbers as strings.
func (s *Server) bodyOfVersion1(asked *ask, signed string) map[string]string {
	body := map[string]string{
		"token_type": "Bearer", "expires_in": strconv.Itoa(asked.expiresIn), "ext_expires_in": strconv.Itoa(asked.expiresIn),
		"expires_on": strconv.FormatInt(asked.expiry(), 10), "not_before": strconv.FormatInt(asked.now.Add(-backdating).Unix(), 10),
		"resource": asked.Resource, "access_token": signed,
	}
	if s.RefreshIn != 0 {
		body["refresh_in"] = strconv.Itoa(s.RefreshIn)
	}
	return body
}

// expiry returns exp. Entra's expires_in is a second less than what remains.
func (a *ask) expiry() int64 { return a.now.Unix() + int64(a.expiresIn) + 1 }

// sign makes a token with the claims of a managed identity (tokens.md section 1), of the version that the resource wants.
func (s *Server) sign(identity Identity, asked *ask) (string, error) {
	application, versionTwo := s.VersionTwo[asked.Resource]
	from := asked.now.Add(-backdating).Unix()
	claims := jwt.MapClaims{
		"aud": asked.Resource, "iat": from, "nbf": from, "exp": asked.expiry(), "aio": opaque(36), "rh": "1." + opaque(36) + ".",
		"idtyp": "app", "oid": identity.ObjectID, "sub": identity.ObjectID, "tid": identity.TenantID, "uti": opaque(16),
	}
	if versionTwo {
		claims["aud"], claims["iss"], claims["ver"] = application, issuerOf(2, identity.TenantID), "2.0"
		claims["azp"], claims["azpacr"] = identity.ClientID, "2"
	} else {
		claims["iss"], claims["idp"], claims["ver"] = issuerOf(1, identity.TenantID), issuerOf(1, identity.TenantID), "1.0"
		claims["appid"], claims["appidacr"] = identity.ClientID, "2"
	}
	if identity.ResourceID != "" {
		claims["xms_mirid"] = resourceIDInTokens(identity.ResourceID)
	}
	capabilities, _ := asked.capabilities()
	if known := slices.DeleteFunc(capabilities, func(one string) bool { return !strings.EqualFold(one, "cp1") }); len(known) > 0 {
		claims["xms_cc"] = known
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = s.key.id
	if !versionTwo {
		token.Header["x5t"] = s.key.id
	}
	return token.SignedString(s.key.private)
}

// issuerOf returns the issuer of tokens of a version.
func issuerOf(version int, tenant string) string {
	if version == 1 {
		return "https://sts.windows.net/" + tenant + "/"
	}
	return "https://login.microsoftonline.com/" + tenant + "/v2.0"
}

// resourceIDInTokens writes resourcegroups in lower case.
func resourceIDInTokens(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) > 3 && strings.EqualFold(parts[3], "resourcegroups") {
		parts[3] = "resourcegroups"
	}
	return strings.Join(parts, "/")
}

// opaque returns random bytes in base64url.
func opaque(length int) string {
	content := make([]byte, length)
	_, _ = rand.Read(content) // never fails
	return base64.RawURLEncoding.EncodeToString(content)
}
