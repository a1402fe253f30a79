package storagegate

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/kube-imds/kube-imds/internal/resource/role"
)

// copyTags is the header that has the tags of a source copied.
const copyTags = "x-ms-copy-source-tag-option"

// source is the blob that a copy reads.
type source struct {
	container string

	// url is how the backend is told of it. It is made anew, so that both read the same in it.
	url string
}

// findSource returns the source that a header names. The backend would fetch the URL of any host, so it must be a blob of the same account,
// which the backend reads by itself, and have no signature, which the backend would check by a request.
func (s *Server) findSource(ctx context.Context, header http.Header, account *Account) (*source, error) {
	named := header.Values(copySource)
	if len(named) != 1 {
		return nil, errCopySource
	}
	parsed, err := url.Parse(named[0])
	if err != nil || parsed.Scheme != "https" || parsed.User != nil || parsed.Opaque != "" || parsed.Fragment != "" {
		return nil, errCopySource
	}
	found, err := s.Find(ctx, canonicalHost(parsed.Host))
	if err != nil {
		return nil, err
	}
	if found == nil || found.Service != Blob || found.Namespace != account.Namespace || found.Name != account.Name {
		return nil, errCopySource
	}
	query, err := parseQuery(parsed.RawQuery)
	if err != nil {
		return nil, err
	}
	at, err := parsePath(Blob, parsed.Path)
	if err != nil {
		return nil, err
	}
	if at.level != inContainer || len(query) > 1 || len(query) == 1 && !query.Has("snapshot") {
		return nil, errCopySource
	}
	made := url.URL{Scheme: "https", Host: account.Host, Path: "/" + at.name + "/" + at.blob, RawQuery: query.Encode()}
	return &source{at.name, made.String()}, nil
}

// needs returns what a caller must have at the source.
func (s *source) needs(header http.Header) operation {
	needed := []role.Action{role.ReadBlob}
	if header.Get(copyTags) != "" || header.Get("x-ms-source-if-tags") != "" {
		needed = append(needed, role.ReadTags)
	}
	return operation{needs: [][]role.Action{needed}}
}

// canonicalHost returns a host name in lower case, without the port of HTTPS and a dot at the end.
func canonicalHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(host, ":443"), "."))
}
