package oidc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/kube-imds/kube-imds/internal/published"
)

// rendered keeps the documents of one published state: anybody may ask for them, as often as they like. There are as many as existing
// tenants have.
type rendered struct {
	of        *published.Published
	documents sync.Map
}

// document is a rendered document with its entity tag.
type document struct {
	body []byte
	tag  string
}

func newDocument(body []byte) *document {
	return &document{body, fmt.Sprintf(`"%x"`, sha256.Sum256(body))}
}

// serve responds with the document, or 304 if the client has it.
func (d *document) serve(writer http.ResponseWriter, request *http.Request, age string) {
	header := writer.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", age)
	header.Set("ETag", d.tag)
	http.ServeContent(writer, request, "", time.Time{}, bytes.NewReader(d.body))
}
