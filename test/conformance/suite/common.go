package suite

import (
	"fmt"
	"strings"
)

// endpoint holds what the common cases need to know of an endpoint.
type endpoint struct {
	name string

	// target is a request that the endpoint answers, in a version that it supports.
	target string

	// tooOld is a version before the endpoint existed; "" if it has no versions.
	tooOld string

	// methods are the methods that it answers, sorted.
	methods []string

	identity bool

	// noHeaderIsOurs marks that its answer without the header was never recorded.
	noHeaderIsOurs bool
}

// Requests for cases in which the endpoint does not matter.
const (
	tokenPath        = "/metadata/identity/oauth2/token"
	infoPath         = "/metadata/identity/info"
	instancePath     = "/metadata/instance"
	attestedPath     = "/metadata/attested/document"
	eventsPath       = "/metadata/scheduledevents"
	loadBalancerPath = "/metadata/loadbalancer"
	versionsPath     = "/metadata/versions"

	anInstance     = instancePath + "?api-version=2021-02-01"
	tokenQuestion  = tokenPath + "?api-version=2018-02-01&resource={resource}"
	aToken         = tokenQuestion + identityPlaceholder
	infoQuestion   = infoPath + "?api-version=2018-02-01"
	anAttestation  = attestedPath + "?api-version=2021-02-01"
	events         = eventsPath + "?api-version=2020-07-01"
	aLoadBalancer  = loadBalancerPath + "?api-version=2020-10-01"
	unknownVersion = "2099-01-01"
)

var (
	onlyGet = []string{"GET"}

	endpoints = []endpoint{
		{name: "versions", target: versionsPath + "?x=1", methods: onlyGet, noHeaderIsOurs: true},
		{name: "instance", target: anInstance, tooOld: "2016-09-01", methods: onlyGet},
		{name: "identity/token", target: tokenQuestion, tooOld: "2017-12-01", methods: onlyGet, identity: true},
		{name: "identity/info", target: infoQuestion, tooOld: "2017-12-01", methods: onlyGet, identity: true},
		{name: "attested", target: anAttestation, tooOld: "2018-04-02", methods: onlyGet},
		{name: "scheduledevents", target: events, tooOld: "2017-04-02", methods: []string{"GET", "POST"}},
		{name: "loadbalancer", target: aLoadBalancer, tooOld: "2020-09-01", methods: onlyGet},
	}
)

// commonCases apply to every endpoint, and to paths that do not exist.
func commonCases() []Case {
	var cases []Case
	for _, e := range endpoints {
		cases = append(cases, e.headerCases()...)
		cases = append(cases, e.versionCases()...)
	}
	return append(append(cases, pathCases()...), connectionCases()...)
}

func (e endpoint) path() string {
	path, _, _ := strings.Cut(e.target, "?")
	return path
}

// headerCases check the protection from requests through a server or proxy.
func (e endpoint) headerCases() []Case {
	cases := []Case{
		ask(e.name+"/no-header", get(e.target).bare(), e.withoutHeader()),
		ask(e.name+"/no-header/bare-path", get(e.path()).bare(), e.withoutHeader()),
		ask(e.name+"/header-false", get(e.target).metadata("false"), e.withoutHeader()).ourChoice(),
		ask(e.name+"/forwarded", get(e.target).with("X-Forwarded-For: 10.0.0.1"), inOurWords(400, e.refused(400))),
		ask(e.name+"/by-a-proxy", get(e.target).with("Via: 1.1 proxy"), inOurWords(400, e.refused(400))).ourChoice(),
		ask(e.name+"/from-a-browser", get(e.target).with("Origin: http://evil.example"), inOurWords(400, e.refused(400))).ourChoice(),
		ask(e.name+"/duplicate-name", get(e.target+"&n=1&n=1"), inOurWords(400, e.refused(400))),
		ask(e.name+"/bad-escape", get(e.target+"&n=%zz"), e.refused(400)).ourChoice(),
	}
	if e.noHeaderIsOurs {
		cases[0], cases[1] = cases[0].ourChoice(), cases[1].ourChoice()
	}
	return cases
}

// versionCases check that an unknown version gets 400, which is the only status on which clients try another one.
func (e endpoint) versionCases() []Case {
	if e.tooOld == "" {
		return nil
	}
	in := func(version string) request { return get(e.path() + "?resource=r&api-version=" + version) }
	return []Case{
		ask(e.name+"/api-version/missing", get(e.path()), e.versionRefused()),
		ask(e.name+"/api-version/empty", in(""), e.versionRefused()).ourChoice(),
		ask(e.name+"/api-version/unknown", in(unknownVersion), e.versionRefused()),
		ask(e.name+"/api-version/too-old", in(e.tooOld), e.versionRefused()),
		ask(e.name+"/api-version/no-date", in("latest"), e.versionRefused()).ourChoice(),
	}
}

func (e endpoint) refused(wanted int) Expectation {
	if e.identity {
		return identityRefused(wanted)
	}
	return refused(wanted)
}

func (e endpoint) withoutHeader() Expectation {
	if e.identity {
		return identityNoHeader
	}
	return noHeader
}

func (e endpoint) versionRefused() Expectation {
	switch {
	case e.identity:
		return identityVersionRefusal
	case e.path() == eventsPath:
		// It has its own versions.
		return all(status(400), ours(all(header("Content-Type", typeJSON),
			body(`{"error":"`+badVersion+`","newest-versions":["2020-07-01","2019-08-01","2019-04-01"]}`))))
	}
	return versionRefusal
}

// pathCases check which paths exist. Paths that other servers read as another path must not.
func pathCases() []Case {
	const query = "?api-version=2018-02-01&resource={resource}"
	cases := []Case{
		ask("paths/metadata/no-version", get("/metadata"), versionRefusal),
		ask("paths/metadata/no-version/slash", get("/metadata/"), versionRefusal).ourChoice(),
		ask("paths/metadata/version", get("/metadata?api-version=2021-02-01"), refused(404)).ourChoice(),
		ask("paths/metadata/no-header", get("/metadata").bare(), noHeader).ourChoice(),
		ask("paths/unknown", get("/metadata/nothing?api-version=2021-02-01"), inOurWords(404, refused(404))),
		ask("paths/unknown/no-header", get("/metadata/nothing").bare(), refused(404)).ourChoice(),
		ask("paths/unknown/identity", get("/metadata/identity/nothing?api-version=2018-02-01"), identityRefused(404)).ourChoice(),
		ask("paths/identity", get("/metadata/identity"+query), identityRefused(404)).ourChoice(),
		ask("paths/below-token", get(tokenPath+"/x"+query), identityRefused(404)).ourChoice(),
		ask("paths/outside", get("/"), inOurWords(404, refused(404))),
		ask("paths/outside/no-header", get("/latest/meta-data/").bare(), inOurWords(404, refused(404))),
		ask("paths/outside/prefix", get("/metadatax/instance?api-version=2021-02-01"), status(404)),
		ask("paths/outside/prefix/instance", get("/metadata/instances?api-version=2021-02-01"), inOurWords(404, refused(404))),
		ask("paths/outside/prefix/identity", get("/metadata/identityoauth2"+query), inOurWords(404, refused(404))),
		ask("paths/outside/prefix/versions", get("/metadata/versionsx"), inOurWords(404, refused(404))),
		ask("paths/outside/star", using("OPTIONS", "*"), refused(404)).ourChoice(),

		// MSAL.NET takes 400 without the header for IMDSv2, and 404 for version 1.
		ask("paths/getplatformmetadata", get("/metadata/identity/getplatformmetadata?cred-api-version=2.0"), identityRefused(404)).ourChoice(),
		ask("paths/getplatformmetadata/no-header", get("/metadata/identity/getplatformmetadata?cred-api-version=2.0").bare(), identityRefused(404)).ourChoice(),
		ask("paths/issuecredential", post("/metadata/identity/issuecredential?cred-api-version=2.0", "{}"), identityRefused(404)).ourChoice(),
		ask("paths/issuecredential/no-header", using("POST", "/metadata/identity/issuecredential").bare().sending("{}"), identityRefused(404)).ourChoice(),

		ask("paths/trailing-slash/instance", get(instancePath+"/?api-version=2021-02-01"), success(has("compute/vmId"))).ourChoice(),
		ask("paths/trailing-slash/token", get(tokenPath+"/"+query+identityPlaceholder), success(has("access_token"))).ourChoice(),
		ask("paths/doubled-slashes/instance", get("//metadata//instance//compute?api-version=2021-02-01"), success(has("vmId"))).ourChoice(),
		ask("paths/doubled-slashes/token", get("/"+tokenPath+query+identityPlaceholder), success(has("access_token"))).ourChoice(),
		ask("paths/doubled-slashes/everywhere", get("//metadata//identity//oauth2//token//"+query+identityPlaceholder), success(has("access_token"))).ourChoice(),
		ask("paths/case/versions", get("/Metadata/Versions"), success(array("apiVersions"))).ourChoice(),
		ask("paths/case/instance", get("/METADATA/Instance/COMPUTE?api-version=2021-02-01"), success(has("vmId"))).ourChoice(),
		ask("paths/case/token", get("/Metadata/Identity/OAuth2/Token"+query+identityPlaceholder), success(has("access_token"))).ourChoice(),
	}
	for name, path := range pathsThatHideAnother {
		cases = append(cases, ask("paths/hidden/"+name, get(path+query), status(404, 400)).ourChoice())
	}
	return sortedByName(cases)
}

// pathsThatHideAnother are read as the token's path by servers that decode, resolve or repair paths.
var pathsThatHideAnother = map[string]string{
	"escaped-letter":           "/metadata/identity/%6fauth2/token",
	"escaped-letter/first":     "/%6detadata/identity/oauth2/token",
	"escaped-slash":            "/metadata/identity/oauth2%2ftoken",
	"escaped-slash/upper-case": "/metadata/identity/oauth2%2Ftoken",
	"escaped-slashes":          "/metadata/identity%2foauth2%2ftoken",
	"escaped-backslash":        "/metadata/identity%5Coauth2/token",
	"escaped-backslashes":      "/metadata/identity%5coauth2%5ctoken",
	"escaped-dot":              "/metadata/identity/%2e/oauth2/token",
	"escaped-dots":             "/metadata/x/%2e%2e/identity/oauth2/token",
	"escaped-blank":            "/metadata/identity/oauth2/token%20",
	"escaped-nul":              "/metadata/identity/oauth2/token%00",
	"escaped-query":            "/metadata/identity/oauth2/token%3f",
	"escaped-fragment":         "/metadata/identity/oauth2/token%23",
	"nul":                      "/metadata/identity/oauth2/token\x00",
	"tab":                      "/metadata/identity/oauth2/token\t",
	"dot":                      "/metadata/./identity/oauth2/token",
	"dot/last":                 "/metadata/identity/oauth2/token/.",
	"dots":                     "/metadata/x/../identity/oauth2/token",
	"dots/first":               "/x/../metadata/identity/oauth2/token",
	"dots/inside":              "/metadata/identity/oauth2/../oauth2/token",
	"dots/last":                "/metadata/identity/oauth2/token/..",
	"backslash":                `/metadata/identity/oauth2\token`,
	"backslash/first":          `\/metadata/identity/oauth2/token`,
	"backslash/slash-last":     `/metadata\identity\oauth2\token/`,
	"backslashes":              `/metadata\identity\oauth2\token`,
	"backslashes/first":        `\metadata\identity\oauth2\token`,
	"backslashes/inside":       `/metadata/identity\oauth2\token`,
	"semicolon":                "/metadata/identity;x/oauth2/token",
	"semicolon/last":           "/metadata/identity/oauth2/token;x",
	"semicolon/slash-last":     "/metadata/identity/oauth2/token;x=y/",
	"fragment":                 "/metadata/identity/oauth2/token#",
	"kelvin-sign":              "/metadata/identity/oauth2/to\u212aen",
	"kelvin-sign/escaped":      "/metadata/identity/oauth2/to%E2%84%AAen",
	"no-slash":                 "metadata/identity/oauth2/token",
	"absolute":                 "http://169.254.169.254/metadata/identity/oauth2/token",
	"absolute/another-host":    "http://example.org/metadata/identity/oauth2/token",
	"host":                     "169.254.169.254/metadata/identity/oauth2/token",
	"host/slashes":             "//example.org/metadata/identity/oauth2/token",
}

// madeTo returns a request to a host name, as from a web page with DNS rebinding.
func madeTo(host string) request {
	return raw("GET "+anInstance+" HTTP/1.1", "Host: "+host, "Metadata: true")
}

// connectionCases check the headers and connections that clients expect.
func connectionCases() []Case {
	padding := fmt.Sprintf("X-Padding: %01000d", 0)
	return []Case{
		ask("headers/Metadata-True", get(anInstance).metadata("True"), success()),
		ask("headers/Metadata-TRUE", get(anInstance).metadata("TRUE"), success()).ourChoice(),
		ask("headers/metadata-in-lower-case", get(anInstance).bare().with("metadata: true"), success()),
		ask("headers/METADATA-in-upper-case", get(anInstance).bare().with("METADATA: true"), success()),
		ask("headers/Metadata-blanks-around", get(anInstance).bare().with("Metadata:   true  "), success()).ourChoice(),
		ask("headers/Metadata-blank-inside", get(anInstance).metadata("tr ue"), noHeader).ourChoice(),
		ask("headers/Metadata-empty", get(anInstance).metadata(""), noHeader).ourChoice(),
		ask("headers/Metadata-1", get(anInstance).metadata("1"), noHeader).ourChoice(),
		ask("headers/Metadata-twice", get(anInstance).with("Metadata: true"), noHeader).ourChoice(),
		ask("headers/Metadata-list", get(anInstance).metadata("true, true"), noHeader).ourChoice(),
		ask("headers/Metadata-in-query", get(anInstance+"&Metadata=true").bare(), noHeader),
		ask("headers/forwarded-empty", get(anInstance).with("X-Forwarded-For:"), refused(400)).ourChoice(),
		ask("headers/forwarded-in-lower-case", get(anInstance).with("x-forwarded-for: 10.0.0.1, 10.0.0.2"), inOurWords(400, refused(400))),
		ask("headers/no-header-and-forwarded", get(anInstance).bare().with("X-Forwarded-For: 10.0.0.1"), inOurWords(400, noHeader)),
		ask("headers/forwarded-by-rfc-7239", get(anInstance).with("Forwarded: for=10.0.0.1"), inOurWords(400, refused(400))).ourChoice(),
		ask("headers/sec-fetch-site", get(anInstance).with("Sec-Fetch-Site: same-origin"), inOurWords(400, refused(400))).ourChoice(),
		ask("headers/sec-fetch-dest", get(anInstance).with("Sec-Fetch-Dest: image"), inOurWords(400, refused(400))).ourChoice(),
		ask("headers/of-node-fetch", get(anInstance).with("accept: */*", "accept-language: *", "sec-fetch-mode: cors", "user-agent: node"), success()),
		ask("headers/host-foreign", madeTo("rebound.example"), inOurWords(400, refused(400))).ourChoice(),
		ask("headers/host-localhost", madeTo("localhost:80"), success()).ourChoice(),
		ask("headers/host-with-port", madeTo("169.254.169.254:80"), success()),
		ask("headers/no-header-before-version", get(instancePath+"?api-version="+unknownVersion).bare(), noHeader),
		ask("headers/content-type-on-get", get(anInstance).with("Content-Type: application/x-www-form-urlencoded"), success()),
		ask("headers/content-length-0-on-get", get(anInstance).with("Content-Length: 0"), success()),
		ask("headers/accept-anything", get(anInstance).with("Accept: text/html", "Accept-Encoding: gzip, br"), success()).ourChoice(),
		ask("headers/of-msal", get(anInstance).with("x-client-SKU: MSAL.Go", "x-client-Ver: 1.4.2", "x-ms-client-request-id: 1"), success()),
		ask("headers/long", get(anInstance).with(padding, padding, padding), success()).ourChoice(),
		ask("headers/date", get(versionsPath), success(headerMatches("Date", ` GMT$`))),
		ask("headers/request-id", inTurn(get(anInstance), get(anInstance)), each(headerMatches("X-Ms-Request-Id", guid)), differs("X-Ms-Request-Id")),

		ask("connections/kept-alive", inTurn(get(versionsPath), get(anInstance), get(versionsPath)), each(success())),
		ask("connections/kept-after-refusals", inTurn(get(anInstance).bare(), get("/metadata/nothing"), get(anInstance)), nth(1, noHeader), success()).ourChoice(),
		ask("connections/close", get(anInstance).with("Connection: close"), success(closes)),
		ask("connections/pipelined", pipelined(get(versionsPath), get(anInstance)), nth(1, success(array("apiVersions"))), success(has("compute"))).ourChoice(),
	}
}
