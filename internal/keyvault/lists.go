package keyvault

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kube-imds/kube-imds/internal/keyvault/store"
)

// maxResults is the largest page.
const maxResults = 25

// page is a page of a list.
type page struct {
	Value    []any   `json:"value"`
	NextLink *string `json:"nextLink"`
}

// list lists the objects of the vault.
func (k *kind) list(x *exchange) (int, any, error) {
	return k.listWhere(x, func(object *store.Object) bool { return object.Deleted == nil })
}

// listDeleted lists those that can be recovered.
func (k *kind) listDeleted(x *exchange) (int, any, error) {
	return k.listWhere(x, func(object *store.Object) bool { return object.Deleted != nil })
}

func (k *kind) listWhere(x *exchange, wanted func(*store.Object) bool) (int, any, error) {
	var items []item
	for _, keeper := range k.keepers() {
		objects, err := keeper.store.List(x.request.Context(), x.vault.UID)
		if err != nil {
			return 0, nil, err
		}
		for _, object := range objects {
			if wanted(object) {
				items = append(items, item{strings.ToLower(object.Name), k.render(x, found{object, object.Current(), keeper}, inList)})
			}
		}
	}
	return x.page(items)
}

// listVersions lists the versions of an object.
func (k *kind) listVersions(x *exchange) (int, any, error) {
	one, err := k.get(x, false)
	if failed := failureOf(err); failed != nil && failed.Status == http.StatusNotFound {
		return x.page(nil)
	}
	if err != nil {
		return 0, nil, err
	}
	var items []item
	for i := range one.object.Versions {
		one.version = &one.object.Versions[i]
		items = append(items, item{one.version.ID, k.render(x, one, inVersions)})
	}
	return x.page(items)
}

// item is an item of a list, which is ordered by keys.
type item struct {
	key    string
	bundle any
}

// page returns the page that the request asks for: up to maxresults items after the key in $skiptoken.
func (x *exchange) page(items []item) (int, any, error) {
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	query := x.request.URL.Query()
	size := maxResults
	if text := query.Get("maxresults"); text != "" {
		var err error
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > maxResults {
			return 0, nil, badParameter("maxresults must be from 1 to %d.", maxResults)
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("$skiptoken"))
	if err != nil {
		return 0, nil, badParameter("The $skiptoken is not one that a nextLink had.")
	}
	first, found := slices.BinarySearchFunc(items, string(after), func(one item, key string) int { return strings.Compare(one.key, key) })
	if found {
		first++
	}
	answer := page{Value: []any{}}
	for _, one := range items[first:min(first+size, len(items))] {
		answer.Value = append(answer.Value, one.bundle)
	}
	if last := first + size; last < len(items) {
		link := "https://" + x.vault.Host + x.request.URL.Path + "?" + url.Values{
			"api-version": {query.Get("api-version")}, "maxresults": {strconv.Itoa(size)},
			"$skiptoken": {base64.RawURLEncoding.EncodeToString([]byte(items[last-1].key))},
		}.Encode()
		answer.NextLink = &link
	}
	return http.StatusOK, answer, nil
}
