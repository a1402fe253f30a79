package chart

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
	"github.com/kube-imds/kube-imds/internal/testing/build"
)

// Both hints can be switched off, and neither refuses anything.
func TestHintsOnlyWarn(t *testing.T) {
	t.Parallel()
	isHint := func(name string) bool { return name == "kube-imds-template-hint" || name == "kube-imds-namespace-hint" }
	for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		for value, want := range map[string]int{"hints.enabled=true": 2, "hints.enabled=false": 0} {
			got := 0
			for _, object := range render(t, value).ofKind(kind) {
				if !isHint(object.GetName()) {
					continue
				}
				got++
				if policy, found, _ := unstructured.NestedString(object.Object, "spec", "failurePolicy"); found && policy != "Ignore" {
					t.Errorf("%s has failure policy %s", object.GetName(), policy)
				}
				actions, found, _ := unstructured.NestedStringSlice(object.Object, "spec", "validationActions")
				if found && !slices.Equal(actions, []string{"Warn"}) {
					t.Errorf("%s has actions %v", object.GetName(), actions)
				}
			}
			if got != want {
				t.Errorf("%s: the chart has %d hints of kind %s, want %d", value, got, kind, want)
			}
		}
	}
}

// Pods are counted, and may be listed for it, only with the hints.
func TestPodsAreCountedForHints(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"hints.enabled=true": true, "hints.enabled=false": false} {
		rendered := render(t, value)
		rules := as[rbacv1.ClusterRole](t, rendered.named(t, "ClusterRole", release+"-controller")).Rules
		mayList := slices.ContainsFunc(rules, func(rule rbacv1.PolicyRule) bool { return slices.Contains(rule.Resources, "pods") })
		deployment := as[appsv1.Deployment](t, rendered.named(t, "Deployment", release+"-controller"))
		counts := slices.Contains(deployment.Spec.Template.Spec.Containers[0].Args, fmt.Sprintf("--count-uninjected-pods=%t", want))
		if mayList != want || !counts {
			t.Errorf("%s: the controller may list pods: %t, and is told so: %t", value, mayList, counts)
		}
	}
}

// annotations are those of one object.
type annotations = map[string]string

// workload is an object with a pod template, and where it is annotated.
type workload struct {
	kind       string
	own        annotations
	jobs       annotations // on the Jobs of a CronJob
	pods       annotations
	controlled bool
}

// Annotations beside the pod template are warned about when they are written.
func testTemplateHint(t *testing.T, server apiServer) {
	orders, payments := annotations{"kube-imds.io/identity": "orders"}, annotations{"kube-imds.io/identity": "payments"}
	asks, declines := annotations{"kube-imds.io/inject": "true"}, annotations{"kube-imds.io/inject": "false"}
	hint := func(annotation, kind, path string) string {
		return hintOf("template-hint", "the annotation kube-imds.io/"+annotation+" of a "+kind+
			" has no effect outside its pod template: set it in "+path+".metadata.annotations")
	}
	const template, jobTemplate = "spec.template", "spec.jobTemplate.spec.template"
	identity := []string{hint("identity", "Deployment", template)}
	user := server.withWarnings(t)
	user.awaitHint(t, newWorkload("early", workload{kind: "Deployment", own: orders}))

	for name, test := range map[string]struct {
		made workload
		want []string
	}{
		"Deployment":                {workload{kind: "Deployment", own: orders}, identity},
		"StatefulSet":               {workload{kind: "StatefulSet", own: orders}, []string{hint("identity", "StatefulSet", template)}},
		"DaemonSet":                 {workload{kind: "DaemonSet", own: orders}, []string{hint("identity", "DaemonSet", template)}},
		"ReplicaSet":                {workload{kind: "ReplicaSet", own: orders}, []string{hint("identity", "ReplicaSet", template)}},
		"ReplicaSet of another":     {workload{kind: "ReplicaSet", own: orders, controlled: true}, nil},
		"Deployment of another":     {workload{kind: "Deployment", own: orders, controlled: true}, identity},
		"Job":                       {workload{kind: "Job", own: asks}, []string{hint("inject", "Job", template)}},
		"Job of another":            {workload{kind: "Job", own: asks, controlled: true}, nil},
		"CronJob":                   {workload{kind: "CronJob", own: orders}, []string{hint("identity", "CronJob", jobTemplate)}},
		"CronJob's Jobs":            {workload{kind: "CronJob", jobs: declines}, []string{hint("inject", "CronJob", jobTemplate)}},
		"CronJob's pods":            {workload{kind: "CronJob", pods: orders}, nil},
		"CronJob and all its parts": {workload{kind: "CronJob", own: orders, jobs: orders, pods: orders}, nil},
		"no annotation":             {workload{kind: "Deployment"}, nil},
		"other annotations":         {workload{kind: "Deployment", own: annotations{"team": "shop"}}, nil},
		"pods":                      {workload{kind: "Deployment", pods: orders}, nil},
		"both":                      {workload{kind: "Deployment", own: orders, pods: orders}, nil},
		"both, different":           {workload{kind: "Deployment", own: orders, pods: payments}, identity},
		"another one on pods":       {workload{kind: "Deployment", own: orders, pods: asks}, identity},
		"empty":                     {workload{kind: "Deployment", own: annotations{"kube-imds.io/identity": ""}}, nil},
		"two": {workload{kind: "Deployment", own: annotations{"kube-imds.io/identity": "orders", "kube-imds.io/inject": "true"}},
			[]string{identity[0], hint("inject", "Deployment", template)}},
	} {
		t.Run("made: "+name, func(t *testing.T) {
			user.wantWarnings(t, test.want, user.Create(t.Context(), newWorkload("made", test.made), client.DryRunAll))
		})
	}

	for name, test := range map[string]struct {
		before, after workload
		want          []string
	}{
		"annotated":          {workload{kind: "Deployment"}, workload{kind: "Deployment", own: orders}, identity},
		"stays as it was":    {workload{kind: "Deployment", own: orders}, workload{kind: "Deployment", own: annotations{"kube-imds.io/identity": "orders", "a": "b"}}, nil},
		"another value":      {workload{kind: "Deployment", own: orders}, workload{kind: "Deployment", own: payments}, identity},
		"moved to its pods":  {workload{kind: "Deployment", own: orders}, workload{kind: "Deployment", pods: orders}, nil},
		"copied to its pods": {workload{kind: "Deployment", own: orders}, workload{kind: "Deployment", own: orders, pods: orders}, nil},
		"no longer its pods": {workload{kind: "Deployment", own: orders, pods: orders}, workload{kind: "Deployment", own: orders}, identity},
		"CronJob's Jobs": {workload{kind: "CronJob"}, workload{kind: "CronJob", jobs: orders},
			[]string{hint("identity", "CronJob", jobTemplate)}},
		"CronJob stays as it was": {workload{kind: "CronJob", jobs: orders}, workload{kind: "CronJob", jobs: orders, own: annotations{"a": "b"}}, nil},
	} {
		t.Run("changed: "+name, func(t *testing.T) {
			made := newWorkload("changed", test.before)
			create(t, server, made)
			defer deleteNow(t, server, made)
			changed := newWorkload("changed", test.after)
			changed.SetResourceVersion(made.GetResourceVersion())
			user.wantWarnings(t, test.want, user.Update(t.Context(), changed, client.DryRunAll))
		})
	}
}

// ServiceAccounts and bindings whose pods are not all injected are warned about when they give identities.
func testNamespaceHint(t *testing.T, server apiServer) {
	for name, labels := range map[string]map[string]string{
		"injected":    {"kube-imds.io/inject": "enabled"},
		"mislabelled": {"kube-imds.io/inject": "true"},
		"unlabelled":  nil,
	} {
		create(t, server, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}})
	}
	hint := func(kind, namespace string) []string {
		return []string{hintOf("namespace-hint", "pods get the identities of this "+kind+
			` only if they are annotated kube-imds.io/inject: "true", because namespace `+namespace+
			" does not have all of its pods injected; for all new ones that do not decline: kubectl label --overwrite namespace "+
			namespace+" kube-imds.io/inject=enabled")}
	}
	orders, binding := annotations{"kube-imds.io/identity": "orders"}, build.NewBinding("unlabelled", "orders").Of("app").To("orders").IdentityBinding
	user := server.withWarnings(t)
	user.awaitHint(t, newAccount("unlabelled", orders))

	for name, test := range map[string]struct {
		made client.Object
		want []string
	}{
		"ServiceAccount":                 {newAccount("unlabelled", orders), hint("ServiceAccount", "unlabelled")},
		"another value of the label":     {newAccount("mislabelled", orders), hint("ServiceAccount", "mislabelled")},
		"all pods are injected":          {newAccount("injected", orders), nil},
		"not annotated":                  {newAccount("unlabelled", nil), nil},
		"annotated with another":         {newAccount("unlabelled", annotations{"team": "shop"}), nil},
		"no identity":                    {newAccount("unlabelled", annotations{"kube-imds.io/identity": ""}), nil},
		"binding":                        {binding.DeepCopy(), hint("IdentityBinding", "unlabelled")},
		"binding, all pods are injected": {build.NewBinding("injected", "orders").Of("*").To("orders").IdentityBinding, nil},
	} {
		t.Run("made: "+name, func(t *testing.T) {
			user.wantWarnings(t, test.want, user.Create(t.Context(), test.made, client.DryRunAll))
		})
	}

	for name, test := range map[string]struct {
		made   client.Object
		change func(client.Object)
		want   []string
	}{
		"annotated":            {newAccount("unlabelled", nil), func(o client.Object) { o.SetAnnotations(orders) }, hint("ServiceAccount", "unlabelled")},
		"no longer annotated":  {newAccount("unlabelled", orders), func(o client.Object) { o.SetAnnotations(nil) }, nil},
		"stays annotated":      {newAccount("unlabelled", orders), func(o client.Object) { o.SetLabels(annotations{"a": "b"}) }, nil},
		"annotated, injected":  {newAccount("injected", nil), func(o client.Object) { o.SetAnnotations(orders) }, nil},
		"binding stays":        {binding.DeepCopy(), func(o client.Object) { o.SetLabels(annotations{"a": "b"}) }, nil},
		"binding gives others": {binding.DeepCopy(), bindPayments, hint("IdentityBinding", "unlabelled")},
	} {
		t.Run("changed: "+name, func(t *testing.T) {
			create(t, server, test.made)
			defer deleteNow(t, server, test.made)
			changed := test.made.DeepCopyObject().(client.Object)
			test.change(changed)
			user.wantWarnings(t, test.want, user.Update(t.Context(), changed, client.DryRunAll))
		})
	}
}

func bindPayments(binding client.Object) {
	binding.(*v1alpha1.IdentityBinding).Spec.Identities = []string{"payments"}
}

// hintOf returns a hint as the API server words it.
func hintOf(name, message string) string {
	name = release + "-" + name
	return "Validation failed for ValidatingAdmissionPolicy '" + name + "' with binding '" + name + "': " + message
}

func newAccount(namespace string, annotations annotations) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "app", Annotations: annotations}}
}

func newWorkload(name string, of workload) *unstructured.Unstructured {
	labels := map[string]any{"app": name}
	pod := map[string]any{
		"metadata": map[string]any{"labels": labels, "annotations": generic(of.pods)},
		"spec":     map[string]any{"containers": []any{map[string]any{"name": "app", "image": "app"}}},
	}
	version, spec := "apps/v1", map[string]any{"selector": map[string]any{"matchLabels": labels}, "template": pod}
	if of.kind == "Job" || of.kind == "CronJob" {
		pod["spec"].(map[string]any)["restartPolicy"] = "Never"
		version, spec = "batch/v1", map[string]any{"template": pod}
	}
	if of.kind == "CronJob" {
		spec = map[string]any{"schedule": "@daily", "jobTemplate": map[string]any{
			"metadata": map[string]any{"annotations": generic(of.jobs)}, "spec": spec,
		}}
	}
	made := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": of.kind, "spec": spec}}
	made.SetNamespace("default")
	made.SetName(name)
	made.SetAnnotations(of.own)
	if of.controlled {
		made.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Owner", Name: "owner", UID: "uid", Controller: new(true)}})
	}
	return made
}

func generic(annotations annotations) map[string]any {
	all := map[string]any{}
	for name, value := range annotations {
		all[name] = value
	}
	return all
}

// warnedUser is a client that keeps the warnings of the API server's answers.
type warnedUser struct {
	client.Client
	warnings *warnings
}

func (s apiServer) withWarnings(t *testing.T) warnedUser {
	t.Helper()
	config := rest.CopyConfig(s.config)
	kept := &warnings{}
	config.WarningHandlerWithContext = kept
	return warnedUser{newClient(t, config), kept}
}

// awaitHint waits until the creation of an object is warned about: policies take effect some time after their installation.
func (u warnedUser) awaitHint(t *testing.T, object client.Object) {
	t.Helper()
	eventually(t, "the hint takes effect", func() bool {
		err := u.Create(t.Context(), object.DeepCopyObject().(client.Object), client.DryRunAll)
		return len(u.warnings.take()) > 0 && err == nil
	})
}

// wantWarnings checks the warnings of the last request, which must have succeeded.
func (u warnedUser) wantWarnings(t *testing.T, want []string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal("refused:", err)
	}
	if diff := cmp.Diff(want, u.warnings.take()); diff != "" {
		t.Errorf("warnings (-want +got)\n%s", diff)
	}
}

// deleteNow deletes an object, whose dependents there are none of.
func deleteNow(t *testing.T, server apiServer, object client.Object) {
	t.Helper()
	if err := server.Delete(t.Context(), object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		t.Fatal(err)
	}
}

// warnings collects the warnings of responses.
type warnings struct {
	lock sync.Mutex
	all  []string
}

// HandleWarningHeaderWithContext keeps a warning.
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, message string) {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.all = append(w.all, message)
}

// take returns the warnings since the last call.
func (w *warnings) take() []string {
	w.lock.Lock()
	defer w.lock.Unlock()
	taken := w.all
	w.all = nil
	return taken
}
