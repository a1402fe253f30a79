package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/test/entra"
)

// TestSDKsGetEntraTokens runs the published SDKs, unmodified and with default options, in pods that get Entra ID's tokens: with manifests
// for AKS they exchange the token of the pod's ServiceAccount or an assertion of the identity, and without them they ask IMDS. The stand-in for
// Entra ID verifies the assertions with the public files of the cluster's own issuer, or of the federation issuer.
//
// SDK_ENTRA_TABLE names the file for the table.
func TestSDKsGetEntraTokens(t *testing.T) {
	c := connect(t)
	built := slices.DeleteFunc(builtClients(t), func(name string) bool { return len(entraSDKs[name].libraries) == 0 })
	if len(built) == 0 {
		t.Skip("no client of SDK_CLIENTS has credentials for Entra ID")
	}
	c.installChart(t, "keyVault.enabled=false", "storage.enabled=false", "workloadIdentity.localTokenEndpoint=true")
	t.Cleanup(func() { c.describeFailure(t) })
	m := c.newEntraMatrix(t, built)
	for _, name := range built {
		for _, cloud := range entraClouds {
			t.Run(name+"/"+cloud.name, func(t *testing.T) { m.testWorkloadIdentity(t, name, cloud) })
		}
		t.Run(name+"/imds", func(t *testing.T) { m.testIMDS(t, name) })
	}
	if slices.Contains(built, endpointSDK) {
		t.Run(endpointSDK+"/token endpoint", m.testTokenEndpoint)
	}
	t.Run("no federated credential", func(t *testing.T) { m.testStranger(t, built[0]) })
	m.print(t)
	c.helm(t, "uninstall", release, "--namespace", namespace, "--wait")
}

// entraCloud is an authority, with the client ID of an identity of its own, and what proves to it who asks.
type entraCloud struct {
	name, authority, clientID string
	assertion                 v1alpha1.AssertionSource
}

// entraClouds are the public authority, and one whose name SDKs do not know: they ask the public one about it.
var entraClouds = []entraCloud{
	{"public", "https://" + publicAuthority, "5f0d1d8c-0000-4000-8000-0000000000b1", v1alpha1.AssertionServiceAccount},
	{"own", authority, "5f0d1d8c-0000-4000-8000-0000000000b2", v1alpha1.AssertionIdentity},
}

// entraIMDSClient and entraIMDSObject are the client ID and the object ID of the identity whose tokens come by IMDS.
const (
	entraIMDSClient = "5f0d1d8c-0000-4000-8000-0000000000b3"
	entraIMDSObject = "5f0d1d8c-0000-4000-8000-0000000000c3"
)

// entraModes map the arguments of clients to the credential that they try.
var entraModes = []struct{ argument, credential string }{
	{"workload-identity", "WorkloadIdentityCredential"},
	{"default", "DefaultAzureCredential"},
}

// firstClient is the argument of the first client of an image.
const firstClient = "0"

// imdsModes are the containers of a pod that asks IMDS, each with a client's argument and the attempts that it makes.
var imdsModes = []struct {
	container, argument, credential string
	selectors                       []string
}{
	{"managed-identity", firstClient, "ManagedIdentityCredential", everySelector},
	{"default", "default", "DefaultAzureCredential", defaultOnly},
}

// entraMatrix has what the pods of all SDKs need, and collects the results in a table.
type entraMatrix struct {
	*cluster
	home string

	// issuer is the cluster's.
	issuer string

	// identity is that of IMDS.
	identity *v1alpha1.ManagedIdentity

	standIn startedHost

	// keys verify the stand-in's tokens.
	keys *jose.JSONWebKeySet

	// exchanged counts the exchanges of each subject.
	exchanged map[string]int

	// probe reads the stand-in's documents, and oidcProbe those of this cluster's OIDC server.
	probe, oidcProbe *corev1.Pod

	rows []entraRow
}

// entraRow is a line of the table.
type entraRow struct {
	attempt sdkAttempt
	asked   string
}

func (c *cluster) newEntraMatrix(t *testing.T, names []string) *entraMatrix {
	t.Helper()
	m := &entraMatrix{cluster: c, home: c.namespace(t), issuer: c.publishIssuer(t), exchanged: map[string]int{}}
	for _, cloud := range entraClouds {
		m.createResolved(t, &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: m.home + "-" + cloud.name}, Spec: v1alpha1.ManagedIdentitySpec{
			TokenSource: v1alpha1.TokenSourceEntra, TenantID: entraTenant, ClientID: v1alpha1.GUID(cloud.clientID),
			Entra:       &v1alpha1.EntraSettings{Authority: cloud.authority, Assertion: cloud.assertion},
			AssumableBy: []v1alpha1.Admission{{Namespaces: []string{m.home}, ServiceAccounts: []string{"*"}}},
		}})
	}
	m.identity = &v1alpha1.ManagedIdentity{ObjectMeta: metav1.ObjectMeta{Name: m.home + "-entra"}, Spec: v1alpha1.ManagedIdentitySpec{
		TokenSource: v1alpha1.TokenSourceEntra, TenantID: entraTenant, ClientID: entraIMDSClient, PrincipalID: entraIMDSObject, Entra: &v1alpha1.EntraSettings{Authority: authority},
		AssumableBy: []v1alpha1.Admission{{Namespaces: []string{m.home}, ServiceAccounts: []string{"*"}}},
	}}
	m.createResolved(t, m.identity)
	m.create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: trustName}, Data: map[string]string{trustKey: string(c.outside.pem)}})
	c.startWebsite(t)
	m.standIn = c.startEntra(t, m.registered(names)...)
	m.probe = c.start(t, newProbePod(c, m.home, "probe", "wait").withIdentity(m.identity.Name).onNode(c.nodes[0]).
		trusting(string(c.outside.pem)+string(c.clusterCA(t))))
	m.oidcProbe = c.start(t, newProbePod(c, m.home, "oidc-probe", "wait").onNode(c.nodes[0]).trusting(c.authorities(t)))
	m.awaitPublic(t)
	c.awaitStatus(t, m.probe, 200)
	m.keys = c.jwks(t, m.probe, authority+"/"+entraTenant+"/discovery/v2.0/keys")
	return m
}

// registered returns the identities of all clouds, with a federated credential for each client's ServiceAccount or one for the identity,
// and that of IMDS.
func (m *entraMatrix) registered(names []string) []entra.Identity {
	const audience = "api://AzureADTokenExchange"
	identities := []entra.Identity{{TenantID: entraTenant, ClientID: entraIMDSClient, ObjectID: entraIMDSObject, Credentials: []entra.Credential{
		{Issuer: website, Subject: identitySubject(m.identity.Name), Audience: audience},
	}}}
	for _, cloud := range entraClouds {
		identity := entra.Identity{TenantID: entraTenant, ClientID: cloud.clientID}
		for _, name := range names {
			issuer, subject := m.asserted(cloud, name)
			if credential := (entra.Credential{Issuer: issuer, Subject: subject, Audience: audience}); !slices.Contains(identity.Credentials, credential) {
				identity.Credentials = append(identity.Credentials, credential)
			}
		}
		identities = append(identities, identity)
	}
	return identities
}

// account returns the ServiceAccount of a client's pods.
func (c entraCloud) account(name string) string { return name + "-" + c.name }

// asserted returns the issuer and the subject of the assertions of a client's pods.
func (m *entraMatrix) asserted(cloud entraCloud, name string) (issuer, subject string) {
	if cloud.assertion == v1alpha1.AssertionIdentity {
		return website, identitySubject(m.home + "-" + cloud.name)
	}
	return m.issuer, "system:serviceaccount:" + m.home + ":" + cloud.account(name)
}

func identitySubject(identity string) string { return "kube-imds:identity:" + identity }

// testWorkloadIdentity runs a client in a pod with a manifest for AKS, and checks that each token is for an exchange of its assertion.
func (m *entraMatrix) testWorkloadIdentity(t *testing.T, name string, cloud entraCloud) {
	pod := m.newWorkloadIdentityPod(t, name, cloud.account(name), cloud)
	m.runToEnd(t, pod)
	issuer, subject := m.asserted(cloud, name)
	for _, mode := range entraModes {
		attempts := readPrinted(t, m.logs(t, m.home, pod.Name, mode.argument)).Attempts
		m.check(t, attempts, cloud.clientID, wanted(entraSDKs[name].libraries, mode.credential, defaultOnly))
		m.addRows(attempts, strings.TrimPrefix(cloud.authority, "https://"))
		m.exchanged[subject] += len(attempts)
	}
	m.checkExchanges(t, issuer, subject, cloud.clientID, m.exchanged[subject])
}

// testIMDS runs a client in a pod that knows nothing of Entra ID. All its tokens are of one exchange, the node's.
func (m *entraMatrix) testIMDS(t *testing.T, name string) {
	pod := m.newIMDSPod(t, name)
	m.runToEnd(t, pod)
	for _, mode := range imdsModes {
		attempts := readPrinted(t, m.logs(t, m.home, pod.Name, mode.container)).Attempts
		libraries := entraSDKs[name].libraries
		if mode.argument == firstClient {
			libraries = libraries[:1]
		}
		m.check(t, attempts, entraIMDSClient, wanted(libraries, mode.credential, mode.selectors))
		m.addRows(attempts, "IMDS")
	}
	m.checkExchanges(t, website, identitySubject(m.identity.Name), entraIMDSClient, 1)
}

// testStranger runs a client whose ServiceAccount has no federated credential.
func (m *entraMatrix) testStranger(t *testing.T, name string) {
	pod := m.newWorkloadIdentityPod(t, name, "stranger", entraClouds[0])
	m.runToEnd(t, pod)
	for _, mode := range entraModes {
		for _, attempt := range readPrinted(t, m.logs(t, m.home, pod.Name, mode.argument)).Attempts {
			if attempt.Token != "" || !strings.Contains(attempt.Error, "AADSTS700213") {
				t.Errorf("%s: got a token: %v, error %q", attempt, attempt.Token != "", attempt.Error)
			}
		}
	}
}

// wanted returns the attempts that a client of some libraries must print.
func wanted(libraries []string, credential string, selectors []string) []string {
	var wanted []string
	for _, library := range libraries {
		for _, selector := range selectors {
			wanted = append(wanted, sdkAttempt{Client: library, Credential: credential, Selector: selector, Resource: vault}.String())
		}
	}
	return wanted
}

// check checks that a client made the attempts, and that each got Entra ID's token for an identity.
func (m *entraMatrix) check(t *testing.T, attempts []sdkAttempt, clientID string, wanted []string) {
	t.Helper()
	wantAttempts(t, attempts, wanted)
	for _, attempt := range attempts {
		if attempt.Token == "" {
			t.Errorf("%s: %s", attempt, attempt.Error)
			continue
		}
		claims := verifyBy(t, m.keys, attempt.Token)
		if claims["appid"] != clientID || claims["aud"] != vault || claims["iss"] != "https://sts.windows.net/"+entraTenant+"/" {
			t.Errorf("%s: claims = %v", attempt, claims)
		}
	}
}

// wantAttempts checks which attempts a client made.
func wantAttempts(t *testing.T, attempts []sdkAttempt, wanted []string) {
	t.Helper()
	var got []string
	for _, attempt := range attempts {
		got = append(got, attempt.String())
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("attempts:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wanted, "\n"))
	}
}

// checkExchanges checks that the stand-in took a number of assertions of a subject, and what they said.
func (m *entraMatrix) checkExchanges(t *testing.T, issuer, subject, clientID string, count int) {
	t.Helper()
	var requests []entra.Request
	m.getJSON(t, m.probe, fmt.Sprintf("http://%s:8081/requests", m.standIn.pod.Status.PodIP), &requests)
	requests = slices.DeleteFunc(requests, func(one entra.Request) bool { return one.Subject != subject || one.Status != 200 })
	if len(requests) != count {
		t.Errorf("Entra ID took %d assertions of %s, want %d: %+v", len(requests), subject, count, requests)
	}
	for _, one := range requests {
		if one.Issuer != issuer || one.ClientID != clientID || one.TenantID != entraTenant || !slices.Equal(one.Audience, []string{"api://AzureADTokenExchange"}) {
			t.Errorf("Entra ID took an assertion of %s: %+v", subject, one)
		}
	}
}

// publishIssuer lets everybody read the public files of the cluster's issuer, as Entra ID must, and returns the issuer.
func (c *cluster) publishIssuer(t *testing.T) string {
	t.Helper()
	c.create(t, everybodyReadsIssuer())
	raw, err := c.kube.Discovery().RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(t.Context())
	must(t, err, "read the discovery document of the cluster")
	var document struct{ Issuer string }
	must(t, json.Unmarshal(raw, &document), "read the discovery document of the cluster")
	return document.Issuer
}

// awaitPublic waits until the public files of the cluster's issuer can be read without credentials.
func (m *entraMatrix) awaitPublic(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, "the discovery document of "+m.issuer+" is public", func(ctx context.Context) error {
		got, err := m.get(ctx, m.probe, m.issuer+"/.well-known/openid-configuration")
		if err == nil && got.Status != 200 {
			err = fmt.Errorf("got %+v", got)
		}
		return err
	})
}

func (m *entraMatrix) addRows(attempts []sdkAttempt, asked string) {
	for _, attempt := range attempts {
		m.rows = append(m.rows, entraRow{attempt, asked})
	}
}

// print prints the table: a line for each library, credential, and whom it asked.
func (m *entraMatrix) print(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLIENT\tVERSION\tCREDENTIAL\tIDENTITY BY\tASKED\tTOKEN\tTIME")
	for _, row := range m.rows {
		got := "no"
		if row.attempt.Token != "" {
			got = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%.0f ms\n",
			row.attempt.Client, row.attempt.Version, row.attempt.Credential, row.attempt.Selector, row.asked, got, row.attempt.Milliseconds)
	}
	must(t, table.Flush(), "print the table")
	t.Log("\n" + text.String())
	if path := os.Getenv("SDK_ENTRA_TABLE"); path != "" {
		must(t, os.WriteFile(path, []byte(text.String()), 0o644), "write the table")
	}
}
