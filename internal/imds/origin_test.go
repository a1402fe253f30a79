package imds

import "testing"

func TestLocalHost(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"169.254.169.254": true, "169.254.169.254:80": true, "127.0.0.1": true, "127.0.0.1:8253": true, "[::1]": true,
		"[::1]:80": true, "localhost": true, "LocalHost:80": true, "": true,
		"evil.example": false, "evil.example:80": false, "localhost.evil.example": false, "169.254.169.254.nip.io": false,
		"metadata": false, "127.1": false, "2130706433": false, "localhost.": false, "user@169.254.169.254.evil": false,
	} {
		if got := LocalHost(host); got != want {
			t.Errorf("%q is this machine: %t", host, got)
		}
	}
}
