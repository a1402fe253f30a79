package keyring

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// What a Secret that keeps a ring holds beside whatever else is in it.
const (
	// SecretKey is the key of the ring in the Secret's data.
	SecretKey = "ring.json"

	// RotateAnnotation, with any value, asks for another key to sign as soon as one is known for long enough. Who keeps the
	// ring takes it away when it is done.
	RotateAnnotation = "kube-imds.io/rotate"

	// RevokeAnnotation names keys that are to be withdrawn at once: IDs separated by commas, or "current". Who keeps the ring
	// takes it away when it is done.
	RevokeAnnotation = "kube-imds.io/revoke"
)

// OrdersOf are the orders on a Secret.
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

// Keep puts the ring into a Secret, and takes the orders away that have been carried out.
func (r Ring) Keep(secret *corev1.Secret, rotated bool) error {
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
