package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportWritesStartIntervalsAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var output bytes.Buffer
		stop := Report(&output, "building etcd")
		time.Sleep(65 * time.Second)
		stop()
		time.Sleep(time.Hour)
		want := "building etcd …\nbuilding etcd … 30 s\nbuilding etcd … 60 s\nbuilding etcd took 65 s\n"
		if diff := cmp.Diff(want, output.String()); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
}

func TestRemindIsSilentAboutShortTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var output bytes.Buffer
		stop := Remind(&output, "building etcd")
		time.Sleep(29 * time.Second)
		stop()
		if output.Len() > 0 {
			t.Errorf("output = %q, want none", output.String())
		}
	})
}
