package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/kube-imds/kube-imds/api/v1alpha1"
)

func TestAnnounce(t *testing.T) {
	t.Parallel()
	ready := func(status metav1.ConditionStatus, message string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: "Because", Message: message}
	}
	good, bad := ready(metav1.ConditionTrue, "good"), ready(metav1.ConditionFalse, "bad")
	for name, test := range map[string]struct {
		before []metav1.Condition
		now    metav1.Condition
		want   string
	}{
		"good from the start": {nil, good, ""},
		"bad from the start":  {nil, bad, "Warning Because bad"},
		"turned bad":          {[]metav1.Condition{good}, bad, "Warning Because bad"},
		"recovered":           {[]metav1.Condition{bad}, good, "Normal Because good"},
		"still bad":           {[]metav1.Condition{bad}, bad, ""},
		"bad otherwise":       {[]metav1.Condition{bad}, ready(metav1.ConditionFalse, "worse"), "Warning Because worse"},
	} {
		recorder := events.NewFakeRecorder(1)
		announce(recorder, &v1alpha1.ManagedIdentity{}, test.before, test.now)
		got := ""
		select {
		case got = <-recorder.Events:
		default:
		}
		if got != test.want {
			t.Errorf("%s: got the event %q, want %q", name, got, test.want)
		}
	}
}
