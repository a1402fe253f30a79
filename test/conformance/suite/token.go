package suite

import (
	"fmt"
	"net/http"
	"time"
)

// tokenCases returns the cases about token requests, whichever identity they select.
func tokenCases() []Case {
	const (
		version = "?api-version=2018-02-01"
		probe   = tokenPath + version
	)
	return []Case{
		ask("identity/token/fields", get(aToken), aTokenAnswer),
		ask("identity/token/headers", get(aToken), status(200), header("Content-Type", typeJSON), headerMatches("Server", `^IMDS/[0-9.]+$`), headerMatches("Content-Length", numberText)),
		ask("identity/token/no-refresh-token", get(aToken), success(lacks("refresh_token", "refresh_in", "id_token", "scope"))),
		ask("identity/token/bearer", get(aToken), success(value("token_type", "Bearer"))),
		ask("identity/token/jwt", get(aToken), success(matches("access_token", `^eyJ[\w-]*\.[\w-]+\.[\w-]+$`))),
		ask("identity/token/no-store", get(aToken), success(headerMatches("Cache-Control", `^no-store$`))).ourChoice(),
		ask("identity/token/digits", get(aToken), success(matches("expires_in", numberText), matches("expires_on", numberText), matches("ext_expires_in", numberText), matches("not_before", numberText))),
		ask("identity/token/times", get(aToken), success(timesAgree)),
		ask("identity/token/five-minutes-left", get(aToken), success(validForFiveMinutes)),
		ask("identity/token/client-id", get(aToken), success(matches("client_id", guid))),
		ask("identity/token/kept-alive", inTurn(get(aToken), get(aToken)), each(success(has("access_token")))),

		ask("identity/token/resource", get(tokenPath+version+"&resource={resource}{identity}"), success(value("resource", "{resource}"))),
		ask("identity/token/resource/escaped", get(tokenPath+version+"&resource={escaped-resource}{identity}"), success(value("resource", "{resource}"))),
		ask("identity/token/resource/first", get(tokenPath+"?resource={resource}{identity}&api-version=2018-02-01"), success(value("resource", "{resource}"))),
		ask("identity/token/resource/ending-slash", get(tokenPath+version+"&resource={resource}/{identity}"), notGranted, success(value("resource", "{resource}/"))),
		ask("identity/token/resource/escaped-slash", get(tokenPath+version+"&resource={escaped-resource}%2f{identity}"), notGranted, success(value("resource", "{resource}/"))),
		ask("identity/token/resource/missing", get(probe+"{identity}"), inOurWords(400, identityRefusal(400, "invalid_request", "Required audience parameter not specified"))),
		ask("identity/token/resource/empty", get(probe+"&resource={identity}"), inOurWords(400, identityRefusal(400, "invalid_request", "Required audience parameter not specified"))),
		ask("identity/token/resource/twice", get(tokenQuestion+"&resource={resource}"), inOurWords(400, identityRefused(400))),
		ask("identity/token/resource/twice-in-two-cases", get(tokenQuestion+"&Resource={resource}"), identityRefused(400)).ourChoice(),
		ask("identity/token/resource/nul", get(probe+"&resource=a%00b"), identityRefused(400)).ourChoice(),
		ask("identity/token/resource/line-break", get(probe+"&resource=a%0d%0aX:b"), identityRefused(400)).ourChoice(),
		ask("identity/token/resource/not-utf-8", get(probe+"&resource=%ff"), identityRefused(400)).ourChoice(),

		ask("identity/token/bypass-cache", get(aToken+"&bypass_cache=true"), aTokenAnswer),
		ask("identity/token/bypass-cache/false", get(aToken+"&bypass_cache=false"), aTokenAnswer).ourChoice(),
		ask("identity/token/bypass-cache/neither", get(aToken+"&bypass_cache=yes"), identityRefused(400)).ourChoice(),
		ask("identity/token/authority", get(aToken+"&authority=https%3A%2F%2Flogin.microsoftonline.com%2Fcommon"), aTokenAnswer).ourChoice(),
		ask("identity/token/unknown-parameter", get(aToken+"&nothing=1"), aTokenAnswer).ourChoice(),
		ask("identity/token/format-text", get(aToken+"&format=text"), aTokenAnswer).ourChoice(),
		ask("identity/token/case-of-names", get(tokenPath+"?API-VERSION=2018-02-01&Resource={resource}{identity}"), aTokenAnswer).ourChoice(),

		ask("identity/token/api-version/2018-02-01", tokenIn("2018-02-01"), aTokenAnswer),
		ask("identity/token/api-version/2019-08-01", tokenIn("2019-08-01"), aTokenAnswer),
		ask("identity/token/api-version/2019-08-15", tokenIn("2019-08-15"), aTokenAnswer),
		ask("identity/token/api-version/2020-06-01", tokenIn("2020-06-01"), aTokenAnswer),
		ask("identity/token/api-version/2021-02-01", tokenIn("2021-02-01"), aTokenAnswer),
		ask("identity/token/api-version/2025-04-07", tokenIn("2025-04-07"), aTokenAnswer),
		ask("identity/token/api-version/between-two", tokenIn("2018-02-02"), identityVersionRefusal).ourChoice(),
		ask("identity/token/api-version/twice", get(tokenQuestion+"&api-version=2018-02-01"), inOurWords(400, identityRefused(400))),

		// The probes by which SDKs detect IMDS. .NET continues after 400 only, and gives up if its text has
		// "Identity not found".
		ask("identity/token/probe/go", get(probe).bare(), identityNoHeader),
		ask("identity/token/probe/dotnet", get(probe+"&resource={resource}&msi-res-id=/a").bare(), identityNoHeader),
		ask("identity/token/probe/client-id", get(probe+"&resource={resource}&client_id=00000000-0000-0000-0000-000000000000").bare(), identityNoHeader),
		ask("identity/token/probe/malformed", get(tokenPath+"?%zz").bare(), identityNoHeader).ourChoice(),
		ask("identity/token/probe/88-bytes", get(tokenPath).bare(), header("Content-Length", "88")),
	}
}

func tokenIn(version string) request {
	return get(tokenPath + "?api-version=" + version + "&resource={resource}{identity}")
}

// aTokenAnswer has the eight fields in their order, all of them strings. MSAL.NET uses the later one of expires_in and
// expires_on.
var aTokenAnswer = success(
	object("", "access_token", "client_id", "expires_in", "expires_on", "ext_expires_in", "not_before", "resource", "token_type"),
	allStrings,
)

// notGranted skips if the target issues tokens for other resources.
var notGranted = unless("no token is given for that resource", func(a answer) bool {
	document, err := a.document()
	if err != nil || a.status != http.StatusBadRequest {
		return false
	}
	code := document.find("error")
	return code != nil && (code.text == "invalid_resource" || code.text == "access_denied")
})

// clockError is the tolerated difference between this machine's clock and the target's.
const clockError = 2 * time.Minute

// timesAgree expects expires_in to be the time until expires_on, and both to be after not_before.
var timesAgree = ofDocument("expires_in is what is left until expires_on", func(document *node, _ *knowledge) error {
	now := time.Now().Unix()
	left, expires, notBefore := number(document, "expires_in"), number(document, "expires_on"), number(document, "not_before")
	if off := expires - now - left; off > int64(clockError.Seconds()) || -off > int64(clockError.Seconds()) {
		return fmt.Errorf("got %d with expires_on %d at time %d", left, expires, now)
	}
	if notBefore > now+int64(clockError.Seconds()) || notBefore >= expires {
		return fmt.Errorf("not_before = %d at time %d", notBefore, now)
	}
	return nil
})

// validForFiveMinutes expects the remaining life that Go's MSAL needs to cache a token.
var validForFiveMinutes = ofDocument("more than five minutes left", func(document *node, _ *knowledge) error {
	if left := number(document, "expires_in"); left <= 300 {
		return fmt.Errorf("%d seconds are left", left)
	}
	return nil
})
