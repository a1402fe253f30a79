package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeStatus writes the status of an object of a kind if it differs from what was read before, and reports whether it did.
func writeStatus(ctx context.Context, api client.StatusClient, kind string, object, before client.Object) (bool, error) {
	if equality.Semantic.DeepEqual(before, object) {
		return false, nil
	}
	if err := api.Status().Patch(ctx, object, client.MergeFrom(before)); err != nil {
		return false, fmt.Errorf("write the status of %s %s: %w", kind, client.ObjectKeyFromObject(object), err)
	}
	return true, nil
}
