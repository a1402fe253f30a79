package installation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/kube-imds/kube-imds/internal/published"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/token"
)

// installed returns the ConfigMap of an installation, as chart and signer make it.
func installed(t *testing.T, namespace string) *corev1.ConfigMap {
	t.Helper()
	jwks, err := token.JWKS([]*token.Key{build.Key(t)})
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "imds-federation",
			Labels: map[string]string{"app.kubernetes.io/component": "signer"},
			Annotations: map[string]string{
				issuerAnnotation: "https://issuer.example/a", clusterAnnotation: "eu-1", environmentAnnotation: "AzureChinaCloud",
			}},
		Data: (&published.Published{JWKS: jwks, Generation: 1}).Data(),
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	other := installed(t, "imds")
	other.Name, other.Annotations = "imds-keys", nil
	empty := installed(t, "empty")
	empty.Data = nil
	for name, test := range map[string]struct {
		objects   []client.Object
		namespace string
		message   string
	}{
		"one":                  {[]client.Object{installed(t, "imds"), other}, "", ""},
		"one in the namespace": {[]client.Object{installed(t, "imds"), installed(t, "imds-2")}, "imds-2", ""},
		"none":                 {[]client.Object{other}, "", "set federation.issuerURL"},
		"none there":           {[]client.Object{installed(t, "imds")}, "elsewhere", "set federation.issuerURL"},
		"two":                  {[]client.Object{installed(t, "imds"), installed(t, "imds-2")}, "", "choose with --namespace"},
		"without keys":         {[]client.Object{empty}, "", "not made its federation keys yet"},
	} {
		found, err := Find(t.Context(), fake.NewClientBuilder().WithObjects(test.objects...).Build(), test.namespace)
		if test.message != "" {
			if err == nil || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%s: got %v, want %q", name, err, test.message)
			}
			continue
		}
		if err != nil || found.Issuer.URL != "https://issuer.example/a" || found.Issuer.Cluster != "eu-1" || found.Environment != "AzureChinaCloud" || len(found.KeyIDs) != 1 {
			t.Errorf("%s: got %+v, %v", name, found, err)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	found, err := read(installed(t, "imds"))
	if err != nil {
		t.Fatal(err)
	}
	directory := filepath.Join(t.TempDir(), "public")
	for range 2 {
		if _, err := found.Write(directory); err != nil {
			t.Fatal(err)
		}
	}
	for path, part := range map[string]string{
		".well-known/openid-configuration": `"issuer": "https://issuer.example/a"`,
		"openid/v1/jwks":                   found.KeyIDs[0],
	} {
		if content, err := os.ReadFile(filepath.Join(directory, path)); err != nil || !strings.Contains(string(content), part) {
			t.Errorf("%s: %s, %v", path, content, err)
		}
	}
}
