package tokencache

import (
	"log/slog"
	"testing"
	"time"
)

func BenchmarkToken(b *testing.B) {
	cache := New(&source{life: 24 * time.Hour}, time.Now, slog.New(slog.DiscardHandler))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Token(b.Context(), byID); err != nil {
				b.Fatal(err)
			}
		}
	})
}
