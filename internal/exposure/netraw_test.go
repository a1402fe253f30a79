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
		"nothing is said":          {nil, nil, whyKept},
		"privileged":               {user, &corev1.SecurityContext{Privileged: new(true)}, whyPrivileged},
		"all are dropped":          {nil, &corev1.SecurityContext{Capabilities: capabilities("", "ALL")}, ""},
		"it is dropped":            {nil, &corev1.SecurityContext{Capabilities: capabilities("", "NET_RAW")}, ""},
		"another one is dropped":   {nil, &corev1.SecurityContext{Capabilities: capabilities("", "CHOWN")}, whyKept},
		"all are dropped, one not": {nil, &corev1.SecurityContext{Capabilities: capabilities("NET_RAW", "ALL")}, whyAdded},
		"all are added":            {nil, &corev1.SecurityContext{Capabilities: capabilities("ALL", "")}, whyAdded},
		"a user by the pod":        {user, &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)}, ""},
		"a user who may escalate":  {user, &corev1.SecurityContext{}, whyKept},
		"a user who adds it in vain": {user, &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false), Capabilities: capabilities("NET_RAW", "")}, ""},
		"some user by the pod": {&corev1.PodSecurityContext{RunAsNonRoot: new(true)},
			&corev1.SecurityContext{AllowPrivilegeEscalation: new(false)}, ""},
		"root by the container": {user, &corev1.SecurityContext{
			RunAsUser: new(int64(0)), AllowPrivilegeEscalation: new(false)}, whyKept},
		"a user by the container": {nil, &corev1.SecurityContext{
			RunAsUser: new(int64(7)), AllowPrivilegeEscalation: new(false)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := whyRaw(test.pod, test.container); got != test.want {
				t.Errorf("it = %q, want %q", got, test.want)
			}
		})
	}
}

func TestRawContainersAreOfAllKinds(t *testing.T) {
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
