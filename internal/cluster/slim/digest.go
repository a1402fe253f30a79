package slim

import (
	"crypto/sha256"
	"encoding/hex"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The bounds of a ConfigMap's owners. A UID has 36 characters.
const (
	maxOwners = 4
	maxUID    = 64
)

// Digest returns a transform that keeps of a ConfigMap the UIDs of its owners and a digest of one value: every namespace
// has such a ConfigMap, and nearly all are the same.
func Digest(key string) func(any) (any, error) {
	return func(object any) (any, error) {
		config, ok := object.(*corev1.ConfigMap)
		if !ok {
			return object, nil
		}
		slim := &corev1.ConfigMap{TypeMeta: config.TypeMeta, ObjectMeta: identifying(config.ObjectMeta)}
		for _, owner := range first(config.OwnerReferences, maxOwners) {
			slim.OwnerReferences = append(slim.OwnerReferences, metav1.OwnerReference{UID: types.UID(cut(string(owner.UID), maxUID))})
		}
		if text, found := config.Data[key]; found {
			slim.Data = map[string]string{key: DigestOf([]byte(text))}
		}
		return slim, nil
	}
}

// DigestOf returns the digest of a text.
func DigestOf(text []byte) string {
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}
