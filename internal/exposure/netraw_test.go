package exposure

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhyRaw(t *testing.T) {
	t.Parallel()
	capabilities := func(add, drop corev1.Capability) *corev1.Capabilities {
		found := &corev1.Capabilities{}
		if add != "" {
			found.Add = []corev1.Capability{add}
		}
		if drop != "" {
			found.Drop = []corev1.Capability{drop}
		}
		return found
	}
	user := &corev1.PodSecurityContext{RunAsUser: new(int64(1000))}
	for name, test := range map[string]struct {
		pod       *corev1.PodSecurityContext
		container *corev1.SecurityContext
		want      string
	}{
		"no security context":     {nil, nil, whyKept},
		"privileged":              {user, &corev1.SecurityContext{Privileged: new(true)}, whyPrivileged},
		"ALL dropped":             {nil, &corev1.SecurityContext{Capabilities: capabilities("", "ALL")}, ""},
		"dropped":                 {nil, &corev1.SecurityContext{Capabilities: capabilities("", "NET_RAW")}, ""},
		"another dropped":         {nil, &corev1.SecurityContext{Capabilities: capabilities("", "CHOWN")}, whyKept},
		"ALL dropped, added":      {nil, &corev1.SecurityContext{Capabilities: capabilities("NET_RAW", "ALL")}, whyAdded},
		"ALL added":               {nil, &corev1.SecurityContext{Capabilities: capabilities("ALL", "")}, whyAdded},
		"user of the pod":         {user, &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)}, ""},
		"a user who may escalate": {user, &corev1.SecurityContext{}, whyKept},
		"user with added capability": {user, &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: capabilities("NET_RAW", "")}, ""},
		"some user of the pod": {&corev1.PodSecurityContext{RunAsNonRoot: new(true)},
			&corev1.SecurityContext{AllowPrivilegeEscalation: new(false)}, ""},
		"root in the container": {user, &corev1.SecurityContext{
			RunAsUser: new(int64(0)), AllowPrivilegeEscalation: new(false)}, whyKept},
		"user of the container": {nil, &corev1.SecurityContext{
			RunAsUser: new(int64(7)), AllowPrivilegeEscalation: new(false)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := whyRaw(test.pod, test.container); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestAllKindsOfContainersAreChecked(t *testing.T) {
	t.Parallel()
	tame := &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders"},
		Spec: corev1.PodSpec{
			NodeName:       "one",
			InitContainers: []corev1.Container{{Name: "first"}, {Name: "kube-imds", SecurityContext: tame}},
			Containers:     []corev1.Container{{Name: "app", SecurityContext: tame}, {Name: "other"}},
			EphemeralContainers: []corev1.EphemeralContainer{
				{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debugger"}}},
		},
	}
	want := []Raw{
		{"shop", "orders", "one", "first", whyKept},
		{"shop", "orders", "one", "other", whyKept},
		{"shop", "orders", "one", "debugger", whyKept},
	}
	if diff := cmp.Diff(want, RawContainers(pod)); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
}
