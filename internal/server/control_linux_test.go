package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// benchConnections is how many clients of the control plane there are at once.
const benchConnections = 16

// operator is a client of the control plane in a benchmark: kept-alive connections to the api listener, each request
// signed for itself.
type operator struct {
	tb     testing.TB
	client *http.Client
	base   string
	by     sigv4.Signer
}

// newOperator starts a server on a data directory of its own, whose commits are synced, and a client of its door.
func newOperator(tb testing.TB) *operator {
	tb.Helper()
	cfg := quiet(tb)
	cfg.Listen.API = "127.0.0.1:0"
	s, _ := begin(tb, cfg)
	return operatorOf(tb, s)
}

func operatorOf(tb testing.TB, s *Server) *operator {
	tb.Helper()
	client := browser(tb, s)
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = benchConnections
	return &operator{tb, client, "https://" + s.Addr("api"), signer(s, "iot")}
}

// ask makes one request and gives the answer's body; headers are name, value, name, value ….
func (o *operator) ask(method, path, body string, headers ...string) []byte {
	req, err := http.NewRequestWithContext(o.tb.Context(), method, o.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		o.tb.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	o.by.Sign(req, []byte(body), time.Now())
	resp, err := o.client.Do(req)
	if err != nil {
		o.tb.Error(err)
		return nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		o.tb.Errorf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	return answer
}

// each calls fn with the numbers below n, from as many goroutines as there are connections.
func (o *operator) each(n int, fn func(i int)) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range benchConnections {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !o.tb.Failed(); i = int(next.Add(1)) - 1 {
				fn(i)
			}
		})
	}
	all.Wait()
}

// newCSR is a request for a certificate for a key that nobody has.
func newCSR(tb testing.TB) string {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		tb.Fatal(err)
	}
	return jsonOf(tb, map[string]string{"certificateSigningRequest": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))})
}

func jsonOf(tb testing.TB, v any) string {
	tb.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// certificates creates n certificates from one CSR and gives their ARNs.
func (o *operator) certificates(n int) []string {
	csr, arns := newCSR(o.tb), make([]string, n)
	o.each(n, func(i int) {
		var made struct {
			CertificateArn string `json:"certificateArn"`
		}
		if err := json.Unmarshal(o.ask("POST", "/certificates?setAsActive=true", csr), &made); err != nil {
			o.tb.Error(err)
		}
		arns[i] = made.CertificateArn
	})
	return arns
}

func (o *operator) policy(name string) {
	o.ask("POST", "/policies/"+name, jsonOf(o.tb, map[string]string{"policyDocument": policy.AllowEverything(DefaultAccount, DefaultRegion)}))
}

// The calls by which a fleet is registered, each request signed and each change synced before its answer, on 16
// connections whose client runs on the same cores. The processor's time, the client's included, says what a machine with
// nothing else to do would reach.
func BenchmarkControlPlane(b *testing.B) {
	measure := func(b *testing.B, o *operator, fn func(i int)) {
		b.Helper()
		before := usedProcessor(b)
		b.ResetTimer()
		o.each(b.N, fn)
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		b.ReportMetric(float64((usedProcessor(b)-before).Microseconds())/float64(b.N), "cpu-µs/request")
	}
	b.Run("CreateThing", func(b *testing.B) {
		o := newOperator(b)
		measure(b, o, func(i int) {
			o.ask("POST", fmt.Sprintf("/things/thing-%d", i), `{"attributePayload":{"attributes":{"serial":"`+fmt.Sprint(i)+`"}}}`)
		})
	})
	b.Run("CreateCertificateFromCsr", func(b *testing.B) {
		o := newOperator(b)
		csr := newCSR(b)
		measure(b, o, func(int) { o.ask("POST", "/certificates?setAsActive=true", csr) })
	})
	b.Run("AttachThingPrincipal", func(b *testing.B) {
		o := newOperator(b)
		arns := o.certificates(b.N)
		o.each(b.N, func(i int) { o.ask("POST", fmt.Sprintf("/things/thing-%d", i), "") })
		measure(b, o, func(i int) {
			o.ask("PUT", fmt.Sprintf("/things/thing-%d/principals", i), "", "X-Amzn-Principal", arns[i])
		})
	})
	b.Run("AttachPolicy", func(b *testing.B) {
		o := newOperator(b)
		arns := o.certificates(b.N)
		o.policy("p")
		measure(b, o, func(i int) { o.ask("PUT", "/target-policies/p", jsonOf(b, map[string]string{"target": arns[i]})) })
	})
	b.Run("DescribeThing", func(b *testing.B) {
		o := newOperator(b)
		o.ask("POST", "/things/lamp", "")
		measure(b, o, func(int) { o.ask("GET", "/things/lamp", "") })
	})
}
