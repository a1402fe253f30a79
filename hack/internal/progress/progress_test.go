package progress

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReportTellsBeginHalfMinutesAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		stop := Report(&told, "building etcd")
		time.Sleep(65 * time.Second)
		stop()
		time.Sleep(time.Hour)
		want := "building etcd …\nbuilding etcd … 30 s\nbuilding etcd … 60 s\nbuilding etcd took 65 s\n"
		if diff := cmp.Diff(want, told.String()); diff != "" {
			t.Errorf("it tells (-want +got):\n%s", diff)
		}
	})
}

func TestNobodyIsRemindedOfWhatIsSoonDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told bytes.Buffer
		stop := Remind(&told, "building etcd")
		time.Sleep(29 * time.Second)
		stop()
		if told.Len() > 0 {
			t.Errorf("it tells %q", told.String())
		}
	})
}
