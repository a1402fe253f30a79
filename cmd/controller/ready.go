package main

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/kube-imds/kube-imds/internal/capability"
	"github.com/kube-imds/kube-imds/internal/pki/authority"
)

// once passes forever after the check has passed, so that removing the webhook's configuration does not take serving replicas out.
func once(check healthz.Checker) healthz.Checker {
	var passed atomic.Bool
	return func(request *http.Request) error {
		if passed.Load() {
			return nil
		}
		err := check(request)
		if err == nil {
			passed.Store(true)
		}
		return err
	}
}

// trustChecker checks that the API server can call the webhook: its configuration has the current authority and a path that the webhook
// admits.
type trustChecker struct {
	reader       client.Reader
	name         string
	trust        *authority.Authority
	capabilities capability.Store
}

func (c trustChecker) check(request *http.Request) error {
	ctx := request.Context()
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.reader.Get(ctx, client.ObjectKey{Name: c.name}, &configuration); err != nil {
		return fmt.Errorf("read the webhook's configuration: %w", err)
	}
	bundle, good := string(c.trust.Bundle(ctx)), c.capabilities.Good(ctx)
	for _, hook := range configuration.Webhooks {
		if bundle == "" || string(hook.ClientConfig.CABundle) != bundle {
			return errors.New("the webhook's configuration does not have the current authority yet")
		}
		if service := hook.ClientConfig.Service; service == nil || service.Path == nil || !good.AdmitsPath(*service.Path) {
			return errors.New("the webhook's configuration does not have a current path yet")
		}
	}
	return nil
}
