package imds

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// LocalHost tells whether a request was made to an address, to localhost, or, as in HTTP/1.0, to nobody by name. A web page
// whose own name was made to point here (DNS rebinding) could otherwise read tokens by way of its visitor's browser.
func LocalHost(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if name == "" || strings.EqualFold(name, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// fromOthers are the headers by which proxies and browsers say that they ask for somebody else. Sec-Fetch-Mode is not
// among them: Node's fetch sends it, and a browser never sends it without Sec-Fetch-Site.
var fromOthers = []string{
	"X-Forwarded-For", "Forwarded", "Via", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-User", "Sec-Fetch-Storage-Access",
}

// refuseOthers refuses what a proxy or a browser asks, which would let in who is not in the pod.
func refuseOthers(header http.Header) *Error {
	for _, name := range fromOthers {
		if _, found := header[name]; found {
			return errsFromOthers[name]
		}
	}
	return nil
}

var errsFromOthers = func() map[string]*Error {
	all := map[string]*Error{}
	for _, name := range fromOthers {
		all[name] = invalid("Bad request. A request with the header " + name + " is not answered")
	}
	return all
}()
