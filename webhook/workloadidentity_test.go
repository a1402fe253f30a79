package webhook

import (
	"context"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
	"github.com/kube-imds/kube-imds/internal/workloadidentity"
)

const (
	entraTenant     = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	localClient     = "5f0d1d8c-0000-4000-8000-000000000001"
	identityClient  = "5f0d1d8c-0000-4000-8000-000000000002"
	accountClient   = "5f0d1d8c-0000-4000-8000-000000000003"
	closedClient    = "5f0d1d8c-0000-4000-8000-000000000004"
	sovereignClient = "5f0d1d8c-0000-4000-8000-000000000005"
)

// newWorkloadIdentityMutator returns a mutator with an identity of each kind, and ServiceAccounts that ask for them by client ID.
func newWorkloadIdentityMutator(t testing.TB) *mutator {
	t.Helper()
	objects := append(shop(),
		build.NewIdentity("local").Admitting("shop", "*").WithClientID(localClient).Local(entraTenant).Ready(),
		entraIdentity("by-identity", identityClient, v1alpha1.EntraSettings{}),
		entraIdentity("by-account", accountClient, v1alpha1.EntraSettings{Assertion: v1alpha1.AssertionServiceAccount}),
		entraIdentity("sovereign", sovereignClient, v1alpha1.EntraSettings{
			Assertion: v1alpha1.AssertionServiceAccount, Authority: "https://login.microsoftonline.us", Audience: "api://AzureADTokenExchangeUSGov"}),
		build.NewIdentity("shut").WithClientID(closedClient).Ready(),
		clientAccount("local", localClient), clientAccount("by-identity", identityClient), clientAccount("shut", closedClient),
		clientAccount("by-account", accountClient), clientAccount("capitals", strings.ToUpper(accountClient)),
		clientAccount("nobody", "5f0d1d8c-0000-4000-8000-0000000000ff"), clientAccount("not-an-id", "orders"),
		clientAccount("settings", sovereignClient,
			workloadidentity.TenantIDAnnotation, "00000000-0000-4000-8000-000000000009", workloadidentity.ExpirationAnnotation, "7200"),
	)
	m := newMutator(t, objects...)
	m.options.WorkloadIdentity, m.options.AzureEnvironment, m.options.TokenEndpoint = true, "AzurePublicCloud", true
	return m
}

func entraIdentity(name string, clientID v1alpha1.GUID, settings v1alpha1.EntraSettings) build.Identity {
	identity := build.NewIdentity(name).Admitting("shop", "*").WithClientID(clientID).Ready()
	identity.Spec.TokenSource, identity.Spec.TenantID, identity.Spec.Entra = v1alpha1.TokenSourceEntra, entraTenant, &settings
	return identity
}

// clientAccount returns a ServiceAccount with a client ID and other annotations, as names and values.
func clientAccount(name, clientID string, more ...string) *corev1.ServiceAccount {
	made := account(name, "")
	made.Annotations = map[string]string{workloadidentity.ClientIDAnnotation: clientID}
	for n := 0; n < len(more); n += 2 {
		made.Annotations[more[n]] = more[n+1]
	}
	return made
}

// labelledPod returns a pod of a ServiceAccount with the label of azure-workload-identity.
func labelledPod(account string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "app", Labels: map[string]string{workloadidentity.UseLabel: "true"}, Annotations: map[string]string{}},
		Spec:       corev1.PodSpec{ServiceAccountName: account, Containers: []corev1.Container{{Name: "app", Image: "app"}}},
	}
}

func TestDeniedWorkloadIdentity(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		account    string
		expiration string
		want       string
	}{
		"no such identity":   {"nobody", "", "no ManagedIdentity has the spec.clientID"},
		"not a client ID":    {"not-an-id", "", "no ManagedIdentity has the spec.clientID"},
		"not admitted":       {"shut", "", "spec.assumableBy"},
		"token for a minute": {"by-account", "60", "from 3600 to 86400"},
		"token for a week":   {"by-account", "604800", "from 3600 to 86400"},
		"no number":          {"by-account", "1h", "from 3600 to 86400"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := labelledPod(test.account)
			if test.expiration != "" {
				pod.Annotations[workloadidentity.ExpirationAnnotation] = test.expiration
			}
			if got := admit(t, newWorkloadIdentityMutator(t), pod); got.Allowed || !strings.Contains(got.Result.Message, test.want) {
				t.Errorf("allowed: %t, %v", got.Allowed, got.Result)
			}
		})
	}
}

// A pod that another webhook has moved to another ServiceAccount keeps nothing of the earlier one's.
func TestWorkloadIdentityOfAnotherServiceAccount(t *testing.T) {
	t.Parallel()
	m := newWorkloadIdentityMutator(t)
	pod := injectedPod(t, m, labelledPod("by-account"))
	pod.Spec.ServiceAccountName = "local"
	again := injectedPod(t, m, pod)
	want := injectedPod(t, m, labelledPod("local"))
	if got := again.Spec.Containers[0]; len(got.VolumeMounts) != 0 || len(got.Env) != len(want.Spec.Containers[0].Env) || valueOf(got, "AZURE_CLIENT_ID") != localClient {
		t.Errorf("container = %+v", got)
	}
	if len(again.Spec.Volumes) != len(want.Spec.Volumes) {
		t.Errorf("volumes = %+v", again.Spec.Volumes)
	}
	pod = again.DeepCopy()
	pod.Spec.ServiceAccountName = "default"
	if got := injectedPod(t, m, pod); len(got.Spec.Containers[0].Env) != 0 || got.Annotations[v1alpha1.WorkloadIdentityAnnotation] != "" {
		t.Errorf("without a client ID: variables %+v, annotations %v", got.Spec.Containers[0].Env, got.Annotations)
	}
}

func valueOf(container corev1.Container, name string) string {
	for _, variable := range container.Env {
		if variable.Name == name {
			return variable.Value
		}
	}
	return ""
}

// The two webhooks never both act on a pod.
func TestOtherWebhookHasActed(t *testing.T) {
	t.Parallel()
	acted := func(account string) *corev1.Pod {
		pod := labelledPod(account)
		pod.Spec.Volumes = []corev1.Volume{{Name: reservedVolume(pod), VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: "api://AzureADTokenExchange", ExpirationSeconds: new(int64(3600)), Path: workloadidentity.TokenPath,
			}}}},
		}}}
		return pod
	}
	for _, account := range []string{"local", "by-identity", "by-account", "nobody"} {
		t.Run(account, func(t *testing.T) {
			t.Parallel()
			m := newWorkloadIdentityMutator(t)
			m.onlyLabelled = true
			recorder := events.NewFakeRecorder(10)
			m.events = recorder
			got := admit(t, m, acted(account))
			if !got.Allowed || len(got.Patches) != 0 || len(got.Warnings) != 1 {
				t.Errorf("allowed: %t, patches %v, warnings %v", got.Allowed, got.Patches, got.Warnings)
			}
			select {
			case event := <-recorder.Events:
				if !strings.Contains(event, "OtherWebhookActs") {
					t.Errorf("event = %s", event)
				}
			default:
				t.Error("there is no event")
			}
			m.onlyLabelled = false
			pod := injectedPod(t, m, acted(account))
			if len(pod.Spec.Containers[0].Env) != 0 || pod.Annotations[v1alpha1.WorkloadIdentityAnnotation] != "" {
				t.Errorf("a pod that asks otherwise too: variables %+v, annotations %v", pod.Spec.Containers[0].Env, pod.Annotations)
			}
		})
	}
}

// A webhook that replaces the volume after this one has the last word.
func TestOtherWebhookActsLater(t *testing.T) {
	t.Parallel()
	m := newWorkloadIdentityMutator(t)
	pod := injectedPod(t, m, labelledPod("by-identity"))
	for n, volume := range pod.Spec.Volumes {
		if isReservedName(volume.Name) {
			pod.Spec.Volumes[n].VolumeSource = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}
		}
	}
	m.onlyLabelled = true
	if got := admit(t, m, pod); !got.Allowed || len(got.Patches) != 0 || len(got.Warnings) != 1 {
		t.Errorf("allowed: %t, patches %v, warnings %v", got.Allowed, got.Patches, got.Warnings)
	}
}

func TestLabelIsIgnoredUnlessAsked(t *testing.T) {
	t.Parallel()
	m := newWorkloadIdentityMutator(t)
	m.options.WorkloadIdentity = false
	got := admit(t, m, labelledPod("nobody"))
	if !got.Allowed || !strings.Contains(strings.Join(got.Warnings, "\n"), "bypass IMDS") {
		t.Errorf("allowed: %t, warnings %v", got.Allowed, got.Warnings)
	}
}

func TestWarningsOfWorkloadIdentity(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		account  string
		endpoint bool
		want     string
	}{
		"nothing to say":  {"by-account", true, ""},
		"no annotation":   {"default", true, "no AZURE_CLIENT_ID"},
		"another tenant":  {"settings", true, entraTenant},
		"endpoint is off": {"local", false, "localTokenEndpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newWorkloadIdentityMutator(t)
			m.options.TokenEndpoint = test.endpoint
			pod := labelledPod(test.account)
			pod.Annotations[v1alpha1.TokenEndpointAnnotation] = "true"
			got := strings.Join(admit(t, m, pod).Warnings, "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("warnings = %q, want %q", got, test.want)
			}
		})
	}
}

// Identities that pods wait for count too, because a pod's volumes cannot change.
func TestAssertionsOfServiceAccounts(t *testing.T) {
	t.Parallel()
	waiting := entraIdentity("waiting-for-entra", "5f0d1d8c-0000-4000-8000-000000000006", v1alpha1.EntraSettings{
		Assertion: v1alpha1.AssertionServiceAccount, Audience: "api://other"})
	waiting.Status.Conditions = nil
	m := newWorkloadIdentityMutator(t)
	if err := m.lookup.cached.(client.Client).Create(t.Context(), waiting.ManagedIdentity); err != nil {
		t.Fatal(err)
	}
	pod := labelledPod("default")
	pod.Labels = nil
	pod.Annotations[v1alpha1.IdentityAnnotation] = "waiting-for-entra,by-account,by-identity,orders"
	got := injectedPod(t, m, pod)
	var audiences []string
	for _, source := range got.Spec.Volumes[0].Projected.Sources {
		if source.ServiceAccountToken != nil {
			audiences = append(audiences, source.ServiceAccountToken.Path+" "+source.ServiceAccountToken.Audience)
		}
	}
	if want := "token kube-imds.io/issuer, assertions/0 api://AzureADTokenExchange, assertions/1 api://other"; strings.Join(audiences, ", ") != want {
		t.Errorf("tokens = %v, want %s", audiences, want)
	}
	if valueOf(got.Spec.InitContainers[1], "KUBE_IMDS_ASSERTIONS_FOLDER") != "/var/run/secrets/kube-imds.io/assertions" {
		t.Errorf("the sidecar is not told: %+v", got.Spec.InitContainers[1].Env)
	}
}

// A ServiceAccount that is created together with the pod is read from the API server, once.
func TestServiceAccountIsReadOnce(t *testing.T) {
	t.Parallel()
	m := newWorkloadIdentityMutator(t)
	fresh := clientAccount("fresh", accountClient)
	reads := 0
	m.lookup.live = interceptor.NewClient(reader(t, fresh), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			reads++
			return c.Get(ctx, key, object, options...)
		},
	})
	if got := injectedPod(t, m, labelledPod("fresh")); valueOf(got.Spec.Containers[0], "AZURE_CLIENT_ID") != accountClient || reads != 1 {
		t.Errorf("variables = %+v, %d reads", got.Spec.Containers[0].Env, reads)
	}
}
