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

// population is how many objects a cluster has. Their names begin with its name.
type population struct {
	name                                       string
	identities, accounts, bindings, namespaces int
}

// populationOf returns the population of a cluster: the largest of the defaults has 50,000 ServiceAccounts, 5,000 bindings and 500 namespaces.
func populationOf(identities int) population {
	return population{identities: identities, accounts: accountsOf * identities, bindings: identities / 2, namespaces: identities / 20}
}

// teamLabel is the label by which identities select namespaces.
const teamLabel = "team"

func (p population) identityName(i int) string { return fmt.Sprintf("%sidentity-%05d", p.name, i) }

// home returns the namespace of an identity's ServiceAccounts.
func (p population) home(identity int) string {
	return fmt.Sprintf("%sspace-%03d", p.name, identity%p.namespaces)
}

// accountsOf is how many ServiceAccounts there are for an identity.
const accountsOf = 5

func (p population) bindingName(i int) string { return fmt.Sprintf("%sbinding-%05d", p.name, i) }

func (p population) accountName(i int) string { return fmt.Sprintf("%saccount-%05d", p.name, i) }

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
		if err := each(ctx, step.count, 16, func(ctx context.Context, i int) error { return api.Create(ctx, step.make(i)) }); err != nil {
			return fmt.Errorf("create the %s: %w", step.what, err)
		}
	}
	return nil
}

// each calls a function with 0 to count-1, several calls at a time.
func each(ctx context.Context, count, atOnce int, do func(ctx context.Context, i int) error) error {
	working, ctx := errgroup.WithContext(ctx)
	working.SetLimit(atOnce)
	for i := range count {
		working.Go(func() error { return do(ctx, i) })
	}
	return working.Wait()
}

func (p population) namespace(i int) client.Object {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.home(i), Labels: map[string]string{teamLabel: p.home(i)}}}
}

func (p population) account(i int) client.Object {
	identity := i / accountsOf
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.home(identity), Name: p.accountName(i)}}
	if i%accountsOf == 0 {
		account.Annotations = map[string]string{v1alpha1.IdentityAnnotation: p.identityName(identity)}
	}
	return account
}

func (p population) identity(i int) client.Object {
	if i/p.namespaces%2 == 0 {
		return build.NewIdentity(p.identityName(i)).AdmittingSelected(teamSelector(p.home(i)), "*").ManagedIdentity
	}
	return build.NewIdentity(p.identityName(i)).Admitting(p.home(i), "*").ManagedIdentity
}

func teamSelector(team string) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{teamLabel: team}}
}

// binding returns a binding of two ServiceAccounts that ask for nothing.
func (p population) binding(i int) client.Object {
	first := accountsOf*i + 1
	return build.NewBinding(p.home(i), p.bindingName(i)).Of(p.accountName(first), p.accountName(first+1)).To(p.identityName(i)).IdentityBinding
}
