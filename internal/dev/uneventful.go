package dev

import (
	"context"
	"time"

	"github.com/kube-imds/kube-imds/internal/imds"
	"github.com/kube-imds/kube-imds/internal/issuerapi"
)

// uneventful is what is around a machine that nothing leads to, and that nothing is to become of.
type uneventful struct{ since time.Time }

// Events are none.
func (u uneventful) Events(context.Context) (*issuerapi.Events, error) {
	return &issuerapi.Events{PodName: name, PodCreatedOn: u.since.Unix()}, nil
}

// LoadBalancer is none.
func (uneventful) LoadBalancer(context.Context) (*imds.LoadBalancer, error) {
	return &imds.LoadBalancer{}, nil
}
