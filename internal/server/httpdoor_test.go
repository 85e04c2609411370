package server

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/policy"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// signer signs with the access key of the first start.
func signer(s *Server, service string) sigv4.Signer {
	c := s.Credentials()
	return sigv4.Signer{AccessKeyID: c.AccessKeyID, Secret: c.Secret.Reveal(), Region: "eu-west-1", Service: service}
}

// reply is what a request got.
type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request to a listener, signed if by is not nil.
func send(t *testing.T, s *Server, by *sigv4.Signer, method, url, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if by != nil {
		by.Sign(req, []byte(body), time.Now())
	}
	resp, err := browser(t, s).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return read(t, resp)
}

func read(t *testing.T, resp *http.Response) reply {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// The control plane is behind a signature on api, shared and console, in any region, and nowhere else.
func TestSignedControlPlane(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{"https://" + s.Addr("api"), "https://" + s.Addr("shared"), "http://" + s.Addr("console")} {
		for _, service := range []string{"iot", "execute-api"} {
			by := signer(s, service)
			a := send(t, s, &by, "POST", base+"/things/lamp", "{}")
			if a.status != http.StatusOK || !strings.Contains(a.body, `"thingName":"lamp"`) {
				t.Errorf("%s as %s: %d %s", base, service, a.status, a.body)
			}
		}
	}
	by := signer(s, "iot")
	for _, listener := range []string{"https", "metrics"} {
		scheme := map[string]string{"https": "https://", "metrics": "http://"}[listener]
		if a := send(t, s, &by, "GET", scheme+s.Addr(listener)+"/things", ""); a.status == http.StatusOK {
			t.Errorf("%s answers the control plane: %s", listener, a.body)
		}
	}
}

// Whoever is refused learns why in AWS's shape, and the journal has it under the same id.
func TestRefusedSignatures(t *testing.T) {
	for _, c := range []struct {
		name   string
		spoil  func(*sigv4.Signer) // nil: not signed at all
		status int
		error  string
		reason string
	}{
		{"unsigned", nil, 403, "MissingAuthenticationTokenException", journal.ReasonNotAuthenticated},
		{"wrong secret", func(k *sigv4.Signer) { k.Secret = "wrong" }, 403, "InvalidSignatureException", journal.ReasonSignatureMismatch},
		{"unknown key", func(k *sigv4.Signer) { k.AccessKeyID = "AKIAAAAAAAAAAAAAAAAA" }, 403, "UnrecognizedClientException", journal.ReasonTokenInvalid},
		{"another service", func(k *sigv4.Signer) { k.Service = "s3" }, 403, "InvalidSignatureException", journal.ReasonSignatureMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := inMemory(t)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			var by *sigv4.Signer
			if c.spoil != nil {
				k := signer(s, "iot")
				c.spoil(&k)
				by = &k
			}
			a := send(t, s, by, "GET", "https://"+s.Addr("api")+"/things", "")
			if a.status != c.status || a.header.Get("X-Amzn-Errortype") != c.error || !json.Valid([]byte(a.body)) {
				t.Fatalf("%d %s %s", a.status, a.header.Get("X-Amzn-Errortype"), a.body)
			}
			id := a.header.Get("X-Amzn-Requestid")
			for _, e := range s.Journal().Query(journal.Query{}) {
				if e.TraceID == id {
					if e.Reason != c.reason || e.Cause == "" || e.Remedy == "" {
						t.Errorf("%+v", e)
					}
					return
				}
			}
			t.Errorf("the journal does not know request %s", id)
		})
	}
}

// STS is at POST /, by its own signing name, and its refusals are XML.
func TestSignedSTS(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	const form = "Action=GetCallerIdentity&Version=2011-06-15"
	by := signer(s, "sts")
	if a := send(t, s, &by, "POST", "https://"+s.Addr("api")+"/", form); a.status != http.StatusOK || !strings.Contains(a.body, ":user/"+firstUser) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := send(t, s, nil, "POST", "https://"+s.Addr("api")+"/", form); a.status != 403 || !strings.Contains(a.body, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The data plane is on every listener that devices and programs reach by HTTP: by signature on api, shared and console,
// by certificate on https, and on shared with the ALPN name x-amzn-http-ca.
func TestPublishThroughEveryDoor(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	by := signer(s, "iotdata")
	for _, base := range []string{"https://" + s.Addr("api"), "https://" + s.Addr("shared"), "http://" + s.Addr("console"), "https://" + s.Addr("https")} {
		a := send(t, s, &by, "POST", base+"/topics/a%2Fb?qos=1", `{"x":1}`)
		if a.status != http.StatusOK || !strings.Contains(a.body, a.header.Get("X-Amzn-Requestid")) {
			t.Errorf("%s: %d %s", base, a.status, a.body)
		}
		if a := send(t, s, nil, "POST", base+"/topics/a%2Fb", "x"); a.status != 401 || a.header.Get("X-Amzn-Errortype") != "UnauthorizedException" {
			t.Errorf("%s, unsigned: %d %s", base, a.status, a.body)
		}
	}
	for _, c := range []struct {
		listener, alpn string
		status         int
	}{{"https", "", 200}, {"https", "x-amzn-http-ca", 200}, {"shared", "x-amzn-http-ca", 200}, {"shared", "", 401}} {
		if got := publishWithCertificate(t, s, c.listener, c.alpn); got != c.status {
			t.Errorf("%s with ALPN %q: %d, want %d", c.listener, c.alpn, got, c.status)
		}
	}
}

// publishWithCertificate posts a message by a device's certificate and gives the status.
func publishWithCertificate(t *testing.T, s *Server, listener, alpn string) int {
	t.Helper()
	conf := deviceTLS(t, s)
	if alpn != "" {
		conf.NextProtos = []string{alpn}
	}
	conn, err := tls.Dial("tcp", s.Addr(listener), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // it has been read
	if _, err := io.WriteString(conn, "POST /topics/a/b?qos=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// deviceTLS is how a device with an active certificate that may do everything connects.
func deviceTLS(t *testing.T, s *Server) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Registry()
	cert, err := r.CreateCertificateFromCSR(t.Context(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request})), true)
	if err != nil {
		t.Fatal(err)
	}
	name := "all-" + cert.ID[:8]
	if _, err := r.CreatePolicy(t.Context(), name, policy.AllowEverything(s.Config().Account, s.Config().Region)); err != nil {
		t.Fatal(err)
	}
	if err := r.AttachPolicy(t.Context(), name, r.ARN("cert/"+cert.ID)); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(cert.PEM))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.RootPEM())
	return &tls.Config{
		RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{block.Bytes}, PrivateKey: key}},
	}
}

// What net/http refuses before any handler is asked is answered in AWS's shape too, and the journal knows it by its id.
func TestUnreadableRequests(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.RootPEM())
	for _, c := range []struct {
		request string
		status  int
	}{
		{"GET /topics/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
		{"GET /topics HTTP/1.1\r\n\r\n", 400}, // no Host
		{"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", 400},
		{"POST /topics/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", 431},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n", 400},
	} {
		conn, err := tls.Dial("tcp", s.Addr("api"), &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, c.request) // it may be refused before its end
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%.40q: %v", c.request, err)
		}
		a := read(t, resp)
		_, _ = resp.Body.Close(), conn.Close() // all is read
		id := a.header.Get("X-Amzn-Requestid")
		if a.status != c.status || !json.Valid([]byte(a.body)) || !strings.Contains(a.body, id) || a.header.Get("X-Amzn-Errortype") == "" {
			t.Errorf("%.40q: %+v", c.request, a)
		}
		if !slices.ContainsFunc(s.Journal().Query(journal.Query{}), func(e journal.Entry) bool { return e.TraceID == id }) {
			t.Errorf("%.40q: the journal does not know %s", c.request, id)
		}
	}
}

// A body that is too large is the publish's fault, not its signer's.
func TestTooLargeIsNotUnknown(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	by := signer(s, "iotdata")
	a := send(t, s, &by, "POST", "https://"+s.Addr("api")+"/topics/large", strings.Repeat("x", 128<<10+1))
	entries := s.Journal().Query(journal.Query{Failures: true})
	if a.status != http.StatusRequestEntityTooLarge || len(entries) != 1 || entries[0].EventType != journal.PublishIn || entries[0].TopicName != "large" {
		t.Errorf("%+v, the journal says %+v", a, entries)
	}
}

// What policies refuse in the control plane, STS and IAM is told under the access key, with the statement that decided.
func TestDeniedOperations(t *testing.T) {
	s := inMemory(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	keys := s.rooms.guard.Keys()
	if _, err := keys.CreateUser(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:ListThings","Resource":"*"},
		{"Sid":"NoDelete","Effect":"Deny","Action":"iot:Delete*","Resource":"*"}]}`
	if err := keys.PutUserPolicy(t.Context(), "ann", "p", document); err != nil {
		t.Fatal(err)
	}
	key, secret, err := keys.CreateAccessKey(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	base := "https://" + s.Addr("api")
	by := sigv4.Signer{AccessKeyID: key.ID, Secret: secret.Reveal(), Region: "us-east-1", Service: "iot"}
	if a := send(t, s, &by, "GET", base+"/things", ""); a.status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	a := send(t, s, &by, "DELETE", base+"/things/lamp", "")
	by.Service = "iam"
	b := send(t, s, &by, "POST", base+"/", "Action=DeleteUser&Version=2010-05-08&UserName=ann")
	if a.status != http.StatusForbidden || a.header.Get("X-Amzn-Errortype") != "AccessDeniedException" || b.status != http.StatusForbidden || !strings.Contains(b.body, "<Code>AccessDenied</Code>") {
		t.Errorf("%+v, %+v", a, b)
	}
	entries := s.Journal().Query(journal.Query{Failures: true})
	if len(entries) != 2 || entries[0].PrincipalID != key.ID || entries[0].Statement != "NoDelete" || entries[0].TraceID != a.header.Get("X-Amzn-Requestid") ||
		entries[1].Packet != "iam:DeleteUser" || !strings.Contains(entries[1].Cause, "not authorized") {
		t.Errorf("the journal says %+v", entries)
	}
}
