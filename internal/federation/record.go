package federation

import (
	"encoding/json"
	"slices"
)

// RecordAnnotation of the ConfigMap with the public keys says which of them an administrator has seen at the issuer's URL. It is for signers
// that do not read the public files themselves.
const RecordAnnotation = "kube-imds.io/published-keys"

// maxRecord bounds what is read of the annotation, in bytes.
const maxRecord = 4 << 10

// record is the annotation's value. Keys that were seen elsewhere are not public here.
type record struct {
	Issuer string   `json:"issuer"`
	Keys   []string `json:"keys"`
}

// Record returns the annotation's value for keys that were seen at the issuer's URL.
func (i Issuer) Record(keyIDs []string) string {
	// Strings are always rendered.
	value, _ := json.Marshal(record{i.URL, slices.Sorted(slices.Values(keyIDs))})
	return string(value)
}

// ReadRecord returns the IDs of the keys in the annotation's value; none if it is of another issuer, malformed or too long.
func (i Issuer) ReadRecord(value string) map[string]bool {
	ids := map[string]bool{}
	var read record
	if len(value) > maxRecord || json.Unmarshal([]byte(value), &read) != nil || read.Issuer != i.URL {
		return ids
	}
	for _, id := range read.Keys {
		ids[id] = true
	}
	return ids
}
