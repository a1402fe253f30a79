package suite

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// malformedCases returns cases of requests that only people and scanners send. A client that parses every answer as JSON,
// such as Azure's for JavaScript, must not stumble over the answer to its own mistake, and no HTTP server should reveal
// itself. Azure's answers are not known.
func malformedCases() []Case {
	const (
		head     = "GET " + anInstance + " HTTP/1.1"
		host     = "Host: 169.254.169.254"
		metadata = "Metadata: true"
	)
	line := func(line string) request { return raw(line, host, metadata) }
	headers := func(headers ...string) request { return raw(append([]string{head}, headers...)...) }
	length := func(n int) string { return strings.Repeat("x", n) }
	bad := badRequest(400)
	tooLarge := badRequest(400, 414, 431)

	cases := []Case{
		// The query.
		ask("malformed/query/bad-escape", get(anInstance+"&n=%zz"), refused(400)),
		ask("malformed/query/half-escape", get(anInstance+"&n=%4"), refused(400)),
		ask("malformed/query/percent-alone", get(anInstance+"&n=%"), refused(400)),
		ask("malformed/query/semicolon", get(anInstance+";n=1"), refused(400)),
		ask("malformed/query/escaped-nul", get(anInstance+"&n=%00"), refused(400)),
		ask("malformed/query/escaped-line-break", get(anInstance+"&n=a%0d%0ab"), refused(400)),
		ask("malformed/query/not-utf-8", get(anInstance+"&n=%ff%fe"), refused(400)),
		ask("malformed/query/raw-not-utf-8", get(anInstance+"&n=\xff\xfe"), badRequest(400)),
		ask("malformed/query/nul", get(anInstance+"&n=\x00"), bad),
		ask("malformed/query/delete-character", get(anInstance+"&n=\x7f"), bad),
		ask("malformed/query/tab", get(anInstance+"&n=\t"), bad),
		ask("malformed/query/blank", get(anInstance+"&n=a b"), bad),
		ask("malformed/query/5000-bytes", get(anInstance+"&n="+length(5000)), tooLarge),
		ask("malformed/query/64-kilobytes", get(anInstance+"&n="+length(64<<10)), tooLarge),
		ask("malformed/query/50-names", get(anInstance+names(50)), success(has("compute"))),
		ask("malformed/query/100-names", get(anInstance+names(100)), refused(400)),
		ask("malformed/query/4000-names", get(anInstance+"&"+strings.Repeat("n&", 4000)), tooLarge),
		ask("malformed/query/token", get(tokenQuestion+"&n=%zz"), identityRefused(400)),
		ask("malformed/query/versions", get(versionsPath+"?%zz"), refused(400)),
		ask("malformed/query/second-question-mark", get(anInstance+"?n=1"), versionRefusal),

		// The path.
		ask("malformed/path/bad-escape", get("/metadata/%zz?api-version=2021-02-01"), badRequest(400, 404)),
		ask("malformed/path/nul", get("/metadata/instance\x00?api-version=2021-02-01"), badRequest(400, 404)),
		ask("malformed/path/no-slash", get("metadata/instance?api-version=2021-02-01"), badRequest(400, 404)),
		ask("malformed/path/absolute", get("http://169.254.169.254"+anInstance), badRequest(400, 404)),
		ask("malformed/path/absolute/another-host", get("http://example.org"+anInstance), badRequest(400, 404, 421)),
		ask("malformed/path/8-kilobytes", get("/metadata/"+length(8<<10)), badRequest(404, 400, 414, 431)),

		// The request line.
		ask("malformed/line/one-word", line("hello"), bad),
		ask("malformed/line/two-words", line("GET "+anInstance), bad),
		ask("malformed/line/four-words", line("GET "+anInstance+" HTTP/1.1 x"), bad),
		ask("malformed/line/two-blanks", line("GET  "+anInstance+" HTTP/1.1"), bad),
		ask("malformed/line/blank-first", line(" GET "+anInstance+" HTTP/1.1"), bad),
		ask("malformed/line/no-target", line("GET HTTP/1.1"), bad),
		ask("malformed/line/http-in-lower-case", line("GET "+anInstance+" http/1.1"), bad),
		ask("malformed/line/http-1", line("GET "+anInstance+" HTTP/1"), bad),
		ask("malformed/line/http-9.9", line("GET "+anInstance+" HTTP/9.9"), badRequest(400, 505)),
		ask("malformed/line/http-2-preface", exactly("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), badRequest(400, 404, 421, 505)),
		ask("malformed/line/no-method", line(" "+anInstance+" HTTP/1.1"), bad),
		ask("malformed/line/method-of-signs", line("G@T "+anInstance+" HTTP/1.1"), bad),
		ask("malformed/line/tls", exactly("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n"), bad),

		// Headers.
		ask("malformed/header/no-host", headers(metadata), bad),
		ask("malformed/header/two-hosts", headers(host, host, metadata), bad),
		ask("malformed/header/bad-host", headers("Host: a b", metadata), bad),
		ask("malformed/header/no-colon", headers(host, metadata, "X"), bad),
		ask("malformed/header/no-name", headers(host, metadata, ": x"), bad),
		ask("malformed/header/blank-in-name", headers(host, metadata, "X Y: z"), bad),
		ask("malformed/header/blank-before-colon", headers(host, "Metadata : true"), bad),
		ask("malformed/header/sign-in-name", headers(host, metadata, "X(Y): z"), bad),
		ask("malformed/header/nul-in-value", headers(host, metadata, "X: a\x00b"), bad),
		ask("malformed/header/not-ascii-in-name", headers(host, metadata, "Xé: z"), bad),
		ask("malformed/header/folded-first", headers(" "+host, metadata), bad),
		ask("malformed/header/1000-of-them", headers(append([]string{host, metadata}, repeated("X: y", 1000)...)...), badRequest(200, 400, 431)),
		ask("malformed/header/32-kilobytes", headers(host, metadata, "X: "+length(32<<10)), tooLarge),
		ask("malformed/header/5000-of-them", headers(append([]string{host, metadata}, repeated("X: y", 5000)...)...), tooLarge),

		// Bodies.
		ask("malformed/body/on-get", get(anInstance).sending("resource=x"), success(has("compute"))),
		ask("malformed/body/chunked-on-get", exactly(head+"\r\n"+host+"\r\n"+metadata+"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), success(has("compute"))),
		ask("malformed/body/in-no-chunk", exactly(head+"\r\n"+host+"\r\n"+metadata+"\r\nTransfer-Encoding: chunked\r\n\r\nhello"), success(has("compute"))),
		ask("malformed/body/shorter-than-content-length", exactly(head+"\r\n"+host+"\r\n"+metadata+"\r\nContent-Length: 100\r\n\r\nhi"), success(has("compute"))),
		ask("malformed/body/length-not-a-number", headers(host, metadata, "Content-Length: x"), bad),
		ask("malformed/body/length-below-zero", headers(host, metadata, "Content-Length: -1"), bad),
		ask("malformed/body/two-lengths", headers(host, metadata, "Content-Length: 0", "Content-Length: 5"), bad),
		ask("malformed/body/huge-length", headers(host, metadata, "Content-Length: 99999999999999999999"), bad),
		ask("malformed/body/unknown-encoding", headers(host, metadata, "Transfer-Encoding: gzip"), badRequest(400, 501)),
		ask("malformed/body/encoding-twice", headers(host, metadata, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), badRequest(400, 501)),
		ask("malformed/body/encoding-of-nonsense", headers(host, metadata, "Transfer-Encoding: xchunked"), badRequest(400, 501)),
		ask("malformed/body/unknown-expectation", headers(host, metadata, "Expect: 200-ok"), badRequest(400, 417)),

		// A second request in the body of the first one must not be answered.
		ask("malformed/smuggled/length-and-chunks", exactly(head+"\r\n"+host+"\r\n"+metadata+"\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), badRequest(200, 400)),
		ask("malformed/smuggled/in-a-body", inTurn(get(anInstance).sending("GET "+versionsPath+" HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n"), get(anInstance+"&n=1")), each(success(has("compute")))),

		// Older HTTP.
		ask("malformed/http-1.0", raw("GET "+anInstance+" HTTP/1.0", host, metadata), success(has("compute"), closes)),
		ask("malformed/http-1.0/keep-alive", raw("GET "+anInstance+" HTTP/1.0", host, metadata, "Connection: keep-alive"), success(has("compute"))),
		ask("malformed/http-1.0/no-header", raw("GET "+anInstance+" HTTP/1.0", host), noHeader),
		ask("malformed/http-1.0/no-host", raw("GET "+anInstance+" HTTP/1.0", metadata), badRequest(200, 400, 421)),
		ask("malformed/http-0.9", exactly("GET "+anInstance+"\r\n\r\n"), bad),
		ask("malformed/bare-line-feeds", exactly(head+"\n"+host+"\n"+metadata+"\n\n"), success(has("compute"))),
		ask("malformed/pipelined-after", pipelined(get(anInstance), line("hello")), nth(1, success(has("compute"))), bad),
	}
	for i := range cases {
		cases[i] = cases[i].ourChoice()
	}
	return cases
}

// badRequest expects one of some statuses and an error in either of IMDS's shapes: a server that cannot parse the path
// cannot know which.
func badRequest(statuses ...int) Expectation {
	inShape := either(plainError, identityError)
	refusal := Expectation{says: "an error in the shape of IMDS", check: func(s *seen) error {
		if s.last().status == http.StatusOK {
			return nil
		}
		return all(header("Content-Type", typeJSON), inShape).holds(s)
	}}
	return all(status(statuses...), refusal)
}

// names returns meaningless parameters.
func names(many int) string {
	var query strings.Builder
	for i := range many {
		fmt.Fprintf(&query, "&n%d=", i)
	}
	return query.String()
}

func repeated(text string, times int) []string { return slices.Repeat([]string{text}, times) }
