package cachefolder

import "testing"

func TestPathFollowsTheEnvironment(t *testing.T) {
	t.Setenv("KUBE_IMDS_CACHE", "")
	t.Setenv("HOME", "/home/me")
	folder := t.TempDir()
	t.Chdir(folder)
	for _, test := range []struct{ variable, value, want string }{
		{"XDG_CACHE_HOME", "", "/home/me/.cache/kube-imds"},
		{"XDG_CACHE_HOME", "/xdg", "/xdg/kube-imds"},
		{"KUBE_IMDS_CACHE", "/own", "/own"},
		{"KUBE_IMDS_CACHE", "own", folder + "/own"},
	} {
		t.Setenv(test.variable, test.value)
		if got, err := Path(); err != nil || got != test.want {
			t.Errorf("with %s=%s: Path() = %s, %v, want %s", test.variable, test.value, got, err, test.want)
		}
	}
}
