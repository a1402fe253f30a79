package controllers

import (
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// afterStart passes all events but those of the objects that are there when a watch begins: every object is reconciled once then anyhow, when
// all caches are filled, so what the others mean for it needs no looking up.
var afterStart = predicate.Funcs{CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList }}
