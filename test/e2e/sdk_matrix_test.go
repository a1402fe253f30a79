package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

// TestSDKMatrix runs the published SDKs of every language in pods, unmodified, and verifies every token that they get. Each
// client runs twice on one node: right after a restart of its issuer, and again. Clients run one after the other, so
// that they do not slow each other down. Then those that have libraries for Key Vault use a vault, and those that have libraries for
// blobs a storage account.
//
// SDK_TABLE names the file for the table.
func TestSDKMatrix(t *testing.T) {
	c := connect(t)
	built := builtClients(t)
	c.helm(t, "upgrade", "--install", release, chartPath, "--set", "logLevel=debug", "--set", "keyVault.enabled=true", "--set", "keyVault.publicHosts={"+azureDomain+"}",
		"--set", "storage.enabled=true", "--set", "storage.publicHosts={"+azureBlobDomain+"}",
		"--namespace", namespace, "--create-namespace", "--wait", "--timeout", "5m")
	t.Cleanup(func() { c.describeFailure(t) })
	matrix := c.newSDKMatrix(t)
	for _, name := range built {
		if len(sdkClients[name]) > 0 {
			t.Run(name, func(t *testing.T) { matrix.test(t, name) })
		}
	}
	matrix.print(t)
	matrix.testKeyVault(t, built)
	matrix.testStorage(t, built)
	c.helm(t, "uninstall", release, "--namespace", namespace, "--wait")
}

// sdkMatrix runs clients that are granted two identities, and collects the results in a table.
type sdkMatrix struct {
	*cluster
	home          string
	node          string
	first, second *v1alpha1.ManagedIdentity
	probe         *corev1.Pod
	rows          []sdkRow
}

// sdkRow is a line of the table.
type sdkRow struct {
	client, version, sent, result, warm, cold string
}

func (c *cluster) newSDKMatrix(t *testing.T) *sdkMatrix {
	home := c.namespace(t)
	m := &sdkMatrix{cluster: c, home: home, node: c.nodes[0],
		first: c.identity(t, home+"-first", home), second: c.identity(t, home+"-second", home)}
	m.probe = c.start(t, newProbePod(c, home, "probe", "wait").withIdentity(m.first.Name).trusting(c.authorities(t)))
	return m
}

// test runs a client with its issuer cold and warm.
func (m *sdkMatrix) test(t *testing.T, name string) {
	runs := m.runTwice(t, name)
	for _, run := range runs {
		checkAttempts(t, name, run)
		checkSent(t, name, run)
		checkPoints(t, name, run)
	}
	for i, credential := range sdkClients[name] {
		if i > 0 && credential.client == sdkClients[name][i-1].client {
			continue
		}
		first := runs
		if i > 0 {
			// Another SDK in the same image: the time to its first token is measured in a container that starts with it.
			first = m.runTwice(t, name, strconv.Itoa(i))
		}
		m.addRow(credential.client, runs, first)
	}
}

// runTwice runs a client right after a restart of its issuer, and again, and verifies its tokens.
func (m *sdkMatrix) runTwice(t *testing.T, name string, arguments ...string) []sdkRun {
	t.Helper()
	m.restartIssuer(t, m.node)
	var runs []sdkRun
	for _, temperature := range []string{"cold", "warm"} {
		run := m.run(t, name, temperature, arguments...)
		m.checkTokens(t, run)
		runs = append(runs, run)
	}
	return runs
}

// run runs a client in a new pod.
func (m *sdkMatrix) run(t *testing.T, name, temperature string, arguments ...string) sdkRun {
	t.Helper()
	pod := m.newSDKPod(t, name, strings.Join(append([]string{name, temperature}, arguments...), "-"))
	pod.Spec.Containers[0].Args = arguments
	m.runToEnd(t, pod)
	return readRun(t, m.logs(t, m.home, pod.Name, "client"), m.logs(t, m.home, pod.Name, "kube-imds"))
}

// runToEnd creates a client's pod and waits until it has ended.
func (c *cluster) runToEnd(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	c.create(t, pod)
	eventually(t, 3*time.Minute, "the client ends", func(ctx context.Context) error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("phase %s: %s", pod.Status.Phase, containerStates(pod))
		}
		return nil
	})
}

// newSDKPod returns a pod that runs a client without any rights and prints its start time.
func (m *sdkMatrix) newSDKPod(t *testing.T, name, podName string) *corev1.Pod {
	t.Helper()
	status := m.second.Status
	scratch := []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp"}}
	var aliases []corev1.HostAlias
	var sysctls []corev1.Sysctl
	if slices.Contains(managementOnly, name) {
		aliases = []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{managementHost}}}
		// The stand-in for Azure Resource Manager beside the client listens on port 443 without root.
		sysctls = []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "443"}}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.home, Name: podName, Annotations: map[string]string{
			v1alpha1.IdentityAnnotation: m.first.Name + "," + m.second.Name,
		}},
		Spec: corev1.PodSpec{
			RestartPolicy:   corev1.RestartPolicyNever,
			HostAliases:     aliases,
			SecurityContext: &corev1.PodSecurityContext{Sysctls: sysctls},
			NodeSelector:    map[string]string{corev1.LabelHostname: m.node},
			Volumes:         []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
			InitContainers: []corev1.Container{{
				Name: "install", Image: "kube-imds/probe:" + m.version, Args: []string{"install", "/tmp/probe"},
				SecurityContext: restricted(), VolumeMounts: scratch,
			}},
			Containers: []corev1.Container{{
				Name: "client", Image: "kube-imds/sdk-" + name + ":" + m.version,
				Command: append([]string{"/tmp/probe", "started"}, entrypoint(t, name)...),
				Env: []corev1.EnvVar{
					{Name: "HOME", Value: "/tmp"},
					{Name: "RESOURCES", Value: strings.Join(sdkResources, ",")},
					{Name: "CLIENT_ID", Value: string(status.ClientID)},
					{Name: "OBJECT_ID", Value: string(status.PrincipalID)},
					{Name: "RESOURCE_ID", Value: status.ResourceID},
				},
				SecurityContext: restricted(), VolumeMounts: scratch,
			}},
		},
	}
}

// restricted runs a container without any rights.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), ReadOnlyRootFilesystem: new(true), AllowPrivilegeEscalation: new(false),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// restartIssuer replaces the issuer of a node.
func (c *cluster) restartIssuer(t *testing.T, node string) {
	t.Helper()
	old := c.issuerPod(t, node)
	c.delete(t, old)
	eventually(t, 2*time.Minute, "a new issuer is ready", func(ctx context.Context) error {
		pod, err := c.findIssuer(ctx, node)
		if err != nil {
			return err
		}
		if pod.UID == old.UID {
			return fmt.Errorf("the former issuer remains")
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("phase %s", pod.Status.Phase)
	})
}

// checkAttempts compares a client's attempts with the table. Each attempt must have succeeded.
func checkAttempts(t *testing.T, name string, run sdkRun) {
	t.Helper()
	var want, got []string
	for _, credential := range sdkClients[name] {
		for _, selector := range credential.selectors {
			for _, resource := range resourcesOf(name, selector) {
				want = append(want, sdkAttempt{Client: credential.client, Credential: credential.credential, Selector: selector, Resource: resource}.String())
			}
		}
	}
	for _, attempt := range run.Attempts {
		got = append(got, attempt.String())
		if attempt.Token == "" {
			t.Errorf("%s: %s", attempt, attempt.Error)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("attempts:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// checkTokens verifies every token like a resource server.
func (m *sdkMatrix) checkTokens(t *testing.T, run sdkRun) {
	t.Helper()
	issuer := fmt.Sprintf("%s/%s/v2.0", oidcURL, m.first.Status.TenantID)
	var discovery struct {
		JWKSURI string `json:"jwks_uri"`
	}
	m.getJSON(t, m.probe, issuer+"/.well-known/openid-configuration", &discovery)
	keys := m.jwks(t, m.probe, discovery.JWKSURI)
	for _, attempt := range run.Attempts {
		if attempt.Token == "" {
			continue
		}
		claims := verifyBy(t, keys, attempt.Token)
		identity := m.second
		if attempt.Selector == byDefault {
			identity = m.first
		}
		checkClaims(t, claims, identity, attempt.Resource)
	}
}

// checkSent checks a client's requests: one for a token, before which DefaultAzureCredential
// probes once. So it has chosen the managed identity at the first probe, and not after the timeouts of
// other credentials.
func checkSent(t *testing.T, name string, run sdkRun) {
	t.Helper()
	asked := map[string]bool{}
	for _, attempt := range run.Attempts {
		i := slices.IndexFunc(sdkClients[name], func(c sdkCredential) bool {
			return c.client == attempt.Client && c.credential == attempt.Credential
		})
		if i < 0 {
			continue // checkAttempts has reported it
		}
		key := attempt.Client + attempt.Credential
		first := !asked[key]
		asked[key] = true
		var probes, tokens int
		for _, request := range attempt.Sent {
			switch {
			case request.isProbe() && request.Status == 400 && tokens == 0:
				probes++
			case !request.isProbe() && request.Status == 200:
				tokens++
			default:
				t.Errorf("%s sent %s", attempt, request)
			}
		}
		wantTokens := 1
		if name == "azurecli" {
			wantTokens = 2 // az login has one of its own
		}
		if tokens != wantTokens {
			t.Errorf("%s sent %d token requests: %s", attempt, tokens, attempt.Sent)
		}
		if probing := sdkClients[name][i].probes; first && probing && probes != 1 || !probing && probes != 0 || probes > 1 {
			t.Errorf("%s sent %d probes: %s", attempt, probes, attempt.Sent)
		}
	}
}

// addRow adds an SDK's line: the results of its attempts, and the time to its first token if it was the container's first SDK.
func (m *sdkMatrix) addRow(sdk string, runs, first []sdkRun) {
	var attempts []sdkAttempt
	for _, run := range runs {
		for _, attempt := range run.Attempts {
			if attempt.Client == sdk {
				attempts = append(attempts, attempt)
			}
		}
	}
	row := sdkRow{client: sdk, sent: describeSent(attempts), cold: inMilliseconds(first[0].firstToken()), warm: inMilliseconds(first[1].firstToken())}
	got := 0
	for _, attempt := range attempts {
		row.version = attempt.Version
		if attempt.Token != "" {
			got++
		}
	}
	row.result = fmt.Sprintf("%d/%d", got, len(attempts))
	m.rows = append(m.rows, row)
}

func inMilliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// print prints the table.
func (m *sdkMatrix) print(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLIENT\tVERSION\tSENT: API-VERSION; IDENTITIES BY; PROBE\tTOKENS\tFIRST TOKEN\tISSUER JUST STARTED")
	for _, row := range m.rows {
		fmt.Fprintln(table, strings.Join([]string{row.client, row.version, row.sent, row.result, row.warm, row.cold}, "\t"))
	}
	must(t, table.Flush(), "print the table")
	t.Log("\n" + text.String())
	if path := os.Getenv("SDK_TABLE"); path != "" {
		must(t, os.WriteFile(path, []byte(text.String()), 0o644), "write the table")
	}
}
