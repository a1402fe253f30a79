package imds

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// Header values are shared between answers, so that writing one allocates nothing.
var (
	serverName  = []string{"IMDS/150.870.65.1854"}
	contentJSON = []string{"application/json; charset=utf-8"}
	contentText = []string{"text/plain; charset=utf-8"}
	noStore     = []string{"no-store"}
)

// write is the one place that writes answers, save for rendered tokens.
func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	setHeader(w.Header(), contentType, []string{strconv.Itoa(len(body))})
	w.WriteHeader(status)
	// A client that went away is no concern of ours.
	_, _ = w.Write(body)
}

// setHeader sets what every answer bears. The keys are in canonical form.
func setHeader(header http.Header, contentType, contentLength []string) {
	header["Server"] = serverName
	header["X-Ms-Request-Id"] = []string{newRequestID()}
	header["Content-Type"] = contentType
	header["Content-Length"] = contentLength
}

// encode renders compact JSON without HTML's escapes and without a last newline. What it is given can always be
// rendered: structs, maps, slices and strings.
func encode(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic("imds: a value that JSON cannot hold: " + err.Error())
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
