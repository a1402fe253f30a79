package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// population is how many objects a cluster has.
type population struct{ identities, accounts, bindings, namespaces int }

// populationOf returns the population of a cluster: the largest of the defaults has 50,000 ServiceAccounts, 5,000 bindings and 500 namespaces.
func populationOf(identities int) population {
	return population{identities: identities, accounts: accountsOf * identities, bindings: identities / 2, namespaces: identities / 20}
}

// teamLabel is the label by which identities select namespaces.
const teamLabel = "team"

func identityName(i int) string { return fmt.Sprintf("identity-%05d", i) }

// home returns the namespace of an identity's ServiceAccounts.
func (p population) home(identity int) string {
	return fmt.Sprintf("space-%03d", identity%p.namespaces)
}

// accountsOf is how many ServiceAccounts there are for an identity.
const accountsOf = 5

func bindingName(i int) string { return fmt.Sprintf("binding-%05d", i) }

func accountName(i int) string { return fmt.Sprintf("account-%05d", i) }

// create makes the objects. Half of the identities admit namespaces by label, the others by name. A fifth of the ServiceAccounts ask for an
// identity by annotation, and bindings map others.
func (p population) create(ctx context.Context, api client.Client) error {
	for _, step := range []struct {
		what  string
		count int
		make  func(i int) client.Object
	}{
		{"namespaces", p.namespaces, p.namespace}, {"ServiceAccounts", p.accounts, p.account},
		{"identities", p.identities, p.identity}, {"bindings", p.bindings, p.binding},
	} {
		fmt.Fprintf(os.Stderr, "creating %d %s …\n", step.count, step.what)
		creating, ctx := errgroup.WithContext(ctx)
		creating.SetLimit(16)
		for i := range step.count {
			creating.Go(func() error { return api.Create(ctx, step.make(i)) })
		}
		if err := creating.Wait(); err != nil {
			return fmt.Errorf("create the %s: %w", step.what, err)
		}
	}
	return nil
}

func (p population) namespace(i int) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.home(i), Labels: map[string]string{teamLabel: p.home(i)}}}
}

func (p population) account(i int) client.Object {
	identity := i / accountsOf
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.home(identity), Name: accountName(i)}}
	if i%accountsOf == 0 {
		account.Annotations = map[string]string{v1alpha1.IdentityAnnotation: identityName(identity)}
	}
	return account
}

func (p population) identity(i int) client.Object {
	if i/p.namespaces%2 == 0 {
		return build.NewIdentity(identityName(i)).AdmittingSelected(teamSelector(p.home(i)), "*").ManagedIdentity
	}
	return build.NewIdentity(identityName(i)).Admitting(p.home(i), "*").ManagedIdentity
}

func teamSelector(team string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{teamLabel: team}}
}

// binding returns a binding of two ServiceAccounts that ask for nothing.
func (p population) binding(i int) client.Object {
	first := accountsOf*i + 1
	return build.NewBinding(p.home(i), bindingName(i)).Of(accountName(first), accountName(first+1)).To(identityName(i)).IdentityBinding
}
