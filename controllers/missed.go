package controllers

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
)

// logMissed logs that a watch event could not be mapped to objects: they are not reconciled before the next event or resync.
func logMissed(ctx context.Context, err error) {
	ctrl.LoggerFrom(ctx).Error(err, "an event is missed: list the objects that it concerns")
}
