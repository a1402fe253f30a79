package chart

import (
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

const (
	nodeNameExtra = "authentication.kubernetes.io/node-name"
	nodeUIDExtra  = "authentication.kubernetes.io/node-uid"
)

func TestIssuerRegistersKeysOfItsOwnNodeAlone(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	withoutWebhooks(t, server)
	here := server.as(t, issuer(map[string][]string{nodeNameExtra: {"here"}, nodeUIDExtra: {"uid-here"}}))
	// A policy takes effect a moment after it is made.
	eventually(t, "the policy takes effect", func() bool {
		err := here.Create(t.Context(), newKey(0, "there", "uid-there"), client.DryRunAll)
		return apierrors.IsForbidden(err)
	})

	for i, test := range []struct {
		name    string
		extra   map[string][]string
		node    string
		uid     string
		refusal string
	}{
		{
			name:  "its own node",
			extra: map[string][]string{nodeNameExtra: {"here"}, nodeUIDExtra: {"uid-here"}},
			node:  "here", uid: "uid-here",
		},
		{
			name:  "another node",
			extra: map[string][]string{nodeNameExtra: {"here"}, nodeUIDExtra: {"uid-here"}},
			node:  "there", uid: "uid-here",
			refusal: "the issuer of node here may not register a signing key of node there",
		},
		{
			name:  "a node of the same name that is gone",
			extra: map[string][]string{nodeNameExtra: {"here"}, nodeUIDExtra: {"uid-here"}},
			node:  "here", uid: "uid-before",
			refusal: "runs on the Node with UID uid-here and may not register a signing key of UID uid-before",
		},
		{
			name: "a token without a node",
			node: "here", uid: "uid-here",
			refusal: "this one names none",
		},
		{
			name:  "a token without a node's UID",
			extra: map[string][]string{nodeNameExtra: {"here"}},
			node:  "here", uid: "uid-here",
			refusal: "this one names none",
		},
		{
			name:  "a token with two nodes",
			extra: map[string][]string{nodeNameExtra: {"here", "there"}, nodeUIDExtra: {"uid-here", "uid-there"}},
			node:  "there", uid: "uid-there",
			refusal: "this one names none",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := server.as(t, issuer(test.extra)).Create(t.Context(), newKey(i+1, test.node, test.uid))
			switch {
			case test.refusal == "" && err != nil:
				t.Error("refused:", err)
			case test.refusal != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), test.refusal)):
				t.Errorf("got %v, want it forbidden because %s", err, test.refusal)
			}
		})
	}
}

func TestIssuerNeitherChangesNorRemovesKeys(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	withoutWebhooks(t, server)
	key := newKey(0, "here", "uid-here")
	create(t, server, key)

	here := server.as(t, issuer(map[string][]string{nodeNameExtra: {"here"}, nodeUIDExtra: {"uid-here"}}))
	if err := here.Delete(t.Context(), key); !apierrors.IsForbidden(err) {
		t.Error("delete:", err)
	}
	key.Labels = map[string]string{"changed": "true"}
	if err := here.Update(t.Context(), key); !apierrors.IsForbidden(err) {
		t.Error("update:", err)
	}
	if err := here.Status().Update(t.Context(), key); !apierrors.IsForbidden(err) {
		t.Error("update of the status:", err)
	}
}

// Administrators are confined by RBAC and not by the policy: a key that has to go can be removed.
func TestAdministratorRemovesKeys(t *testing.T) {
	t.Parallel()
	server := startAPIServer(t)
	server.helm(t, "install", release, chartPath, "--create-namespace")
	key := newKey(0, "here", "uid-here")
	create(t, server, key)
	if err := server.Delete(t.Context(), key); err != nil {
		t.Error(err)
	}
}

func issuer(extra map[string][]string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":kube-imds-issuer",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		Extra:    extra,
	}
}

// newKey is a key of a node; its number makes it another than the rest.
func newKey(number int, node, uid string) *v1alpha1.SigningKey {
	id := fmt.Sprintf("%040x", number)
	return &v1alpha1.SigningKey{
		ObjectMeta: metav1.ObjectMeta{Name: id},
		Spec: v1alpha1.SigningKeySpec{
			NodeName:  node,
			NodeUID:   uid,
			KeyID:     id,
			PublicKey: v1alpha1.PublicJWK{KeyType: "RSA", Modulus: strings.Repeat("A", 342), Exponent: "AQAB"},
			NotBefore: metav1.NewTime(time.Unix(1_700_000_000, 0)),
			NotAfter:  metav1.NewTime(time.Unix(1_700_100_000, 0)),
		},
	}
}
