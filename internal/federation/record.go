package federation

import (
	"slices"
	"strings"
)

// RecordAnnotation of the ConfigMap with the public keys has the IDs of those that an administrator has seen at the issuer's URL. It is for
// signers that do not read the public files themselves.
const RecordAnnotation = "kube-imds.io/published-keys"

// maxRecord bounds what is read of the annotation, in bytes.
const maxRecord = 4 << 10

// Record returns the annotation's value for some keys.
func Record(keyIDs []string) string { return strings.Join(slices.Sorted(slices.Values(keyIDs)), ",") }

// Recorded returns the IDs of the keys in the annotation's value; none if it is too long.
func Recorded(value string) map[string]bool {
	ids := map[string]bool{}
	if len(value) > maxRecord {
		return ids
	}
	for id := range strings.SplitSeq(value, ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids[id] = true
		}
	}
	return ids
}
