package delivery

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkDeliver is one callback over a kept connection, with 32 at once.
func BenchmarkDeliver(b *testing.B) {
	discard := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}
	plain := receiver(b, discard)
	secure, roots := tlsReceiver(b, discard, nil, "127.0.0.1")
	for _, c := range []struct{ name, url string }{{"http", plain.URL}, {"https", secure.URL}} {
		b.Run(c.name, func(b *testing.B) {
			s := open(b, Config{Roots: roots})
			r := post(c.url+"/callback?id=2DC7C1", `{"device":"2DC7C1","data":"41c8cccd"}`)
			parallel(b, s, r)
		})
	}
}

// BenchmarkDeliverAWS is one signed publish with cached credentials over TLS, with 32 at once.
func BenchmarkDeliverAWS(b *testing.B) {
	server, roots := tlsReceiver(b, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.WriteString(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"message":"OK"}`)
	}, nil, "127.0.0.1")
	s := open(b, Config{
		EndpointRoots: roots,
		Endpoints:     func(string) Endpoints { return Endpoints{STS: server.URL, Data: server.URL} },
		Key:           func(context.Context) (Key, error) { return Key{ID: "AKIA", Secret: "x"}, nil },
	})
	parallel(b, s, uplink())
}

func parallel(b *testing.B, s *Sender, r *Request) {
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out := s.Deliver(b.Context(), r); !out.OK {
				b.Errorf("%+v", out)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "callbacks/s")
}
