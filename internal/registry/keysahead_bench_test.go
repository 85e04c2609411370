package registry

import (
	"context"
	"crypto/rsa"
	"testing"
)

// CreateKeysAndCertificate with keys that are ready, and with keys that are made when they are asked for, one after the
// other: run it with -benchtime 30x.
func BenchmarkCreateKeysAndCertificate(b *testing.B) {
	create := func(b *testing.B, r *Registry) {
		b.Helper()
		b.ResetTimer()
		for range b.N {
			if _, err := r.CreateKeysAndCertificate(b.Context(), true); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "certificates/s")
	}
	b.Run("ready", func(b *testing.B) {
		r := openOn(b, newStore(b), testAuthority())
		r.keys.Close()
		made := make(chan struct{}, 2*b.N)
		r.keys = openKeysAhead(b.N, func() (*rsa.PrivateKey, error) {
			defer func() { made <- struct{}{} }()
			return makeDeviceKey()
		}, func(ctx context.Context) bool { return ctx.Err() == nil })
		r.keys.want()
		for range b.N {
			<-made
		}
		// What is taken is made again only when the benchmark is over.
		r.keys.idle = func(context.Context) bool { return false }
		create(b, r)
	})
	b.Run("asked for", func(b *testing.B) { create(b, openOn(b, newStore(b), testAuthority())) })
}
