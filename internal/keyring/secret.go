package keyring

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The contents of a Secret that holds a ring. Other contents are left alone.
const (
	// SecretKey is the key of the ring in the Secret's data.
	SecretKey = "ring.json"

	// RotateAnnotation, with any value, asks for the next key to sign as soon as it has been published for long enough. It
	// is removed when done.
	RotateAnnotation = "kube-imds.io/rotate"

	// RevokeAnnotation names keys to withdraw at once: IDs separated by commas, or "current". It is removed when done.
	RevokeAnnotation = "kube-imds.io/revoke"
)

// OrdersOf returns the orders in a Secret's annotations.
func OrdersOf(secret *corev1.Secret) Orders {
	var orders Orders
	_, orders.Rotate = secret.Annotations[RotateAnnotation]
	for id := range strings.SplitSeq(secret.Annotations[RevokeAnnotation], ",") {
		if id = strings.TrimSpace(id); id != "" {
			orders.Revoke = append(orders.Revoke, id)
		}
	}
	return orders
}

// Store stores the ring in a Secret and removes the orders that were carried out.
func (r Ring) Store(secret *corev1.Secret, rotated bool) error {
	content, err := r.Render()
	if err != nil {
		return err
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[SecretKey] = content
	delete(secret.Annotations, RevokeAnnotation)
	if rotated {
		delete(secret.Annotations, RotateAnnotation)
	}
	return nil
}
