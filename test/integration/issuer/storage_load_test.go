package issuer

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// bigBlob is the size of a big blob in bytes. It is ten times what the gate's process has in all; KUBE_IMDS_BIG_BLOB has a larger one sent.
const bigBlob = 256 << 20

// A big blob passes both ways, and the gate holds none of it.
func testBigBlob(t *testing.T, s *storageTest) {
	const held = 48 << 10 // KiB
	size := int64(bigBlob)
	if text := os.Getenv("KUBE_IMDS_BIG_BLOB"); text != "" {
		var err error
		size, err = strconv.ParseInt(text, 10, 64)
		must(t, err, "read KUBE_IMDS_BIG_BLOB")
	}
	blobs, ctx := s.blobs(t), t.Context()
	before := s.server.peak(t)
	sent, received := sha256.New(), sha256.New()
	start := time.Now()
	_, err := blobs.UploadStream(ctx, "invoices", "big", io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent),
		&azblob.UploadStreamOptions{BlockSize: 16 << 20, Concurrency: 2})
	must(t, err, "upload a big blob")
	up := time.Since(start)
	start = time.Now()
	download, err := blobs.DownloadStream(ctx, "invoices", "big", nil)
	must(t, err, "download it")
	written, err := io.Copy(received, download.Body)
	must(t, err, "read it")
	if written != size || !same(sent, received) {
		t.Errorf("%d bytes came back, or others", written)
	}
	after := s.server.peak(t)
	t.Logf("%d MiB up in %s and down in %s; the gate's memory peaked at %d KiB, and at %d KiB before", size>>20, up, time.Since(start), after, before)
	if after-before > held {
		t.Errorf("the gate's memory grew by %d KiB", after-before)
	}
	_, err = blobs.DeleteBlob(ctx, "invoices", "big", nil)
	must(t, err, "delete it")
}

func same(one, other hash.Hash) bool { return string(one.Sum(nil)) == string(other.Sum(nil)) }

// peak returns the most memory that the process has had, in KiB.
func (p *part) peak(t *testing.T) int {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	must(t, err, "read the memory of a process")
	_, rest, _ := strings.Cut(string(content), "VmHWM:")
	var size int
	_, err = fmt.Sscan(rest, &size)
	must(t, err, "read the memory of a process")
	return size
}
