package suite

import "slices"

// methodCases check that endpoints accept their methods only, and name them.
func methodCases() []Case {
	var cases []Case
	for _, e := range endpoints {
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "HEAD"} {
			if slices.Contains(e.methods, method) {
				continue
			}
			cases = append(cases, ask(e.name+"/method/"+method, e.using(method), e.wrongMethod(method)...))
		}
		cases = append(cases, ask(e.name+"/method/POST/no-header", e.using("POST").bare().with("Content-Length: 0"), e.withoutHeader()).ourChoice())
	}
	return append(cases,
		ask("methods/in-lower-case", using("get", anInstance), refused(405), allows("GET")).ourChoice(),
		ask("methods/unknown", using("BREW", anInstance), refused(405), allows("GET")).ourChoice(),
		ask("methods/TRACE", using("TRACE", anInstance), refused(405), allows("GET")).ourChoice(),
		ask("methods/CONNECT", using("CONNECT", anInstance), status(400, 404, 405)).ourChoice(),
	)
}

func (e endpoint) using(method string) request {
	r := using(method, e.target)
	if method == "HEAD" || method == "OPTIONS" {
		return r
	}
	return r.with("Content-Length: 0")
}

func (e endpoint) wrongMethod(method string) []Expectation {
	if method == "HEAD" {
		return []Expectation{status(405), ours(allows(e.methods...)), body("")}
	}
	return []Expectation{inOurWords(405, e.refused(405)), ours(allows(e.methods...))}
}
