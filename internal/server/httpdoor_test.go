package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// signer signs with the access key of the first start.
func signer(s *Server, service string) sigv4.Signer {
	c := s.Credentials()
	return sigv4.Signer{AccessKeyID: c.AccessKeyID, Secret: c.Secret.Reveal(), Region: "eu-west-1", Service: service}
}

// send makes a request to a listener, signed if by is not nil, and gives status, error type and body.
func send(t *testing.T, s *Server, by *sigv4.Signer, method, url, body string) (*http.Response, string) {
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
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
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
			resp, body := send(t, s, &by, "POST", base+"/things/lamp", "{}")
			if resp.StatusCode != 200 || !strings.Contains(body, `"thingName":"lamp"`) {
				t.Errorf("%s as %s: %d %s", base, service, resp.StatusCode, body)
			}
		}
	}
	by := signer(s, "iot")
	for _, listener := range []string{"https", "metrics"} {
		scheme := map[string]string{"https": "https://", "metrics": "http://"}[listener]
		if resp, body := send(t, s, &by, "GET", scheme+s.Addr(listener)+"/things", ""); resp.StatusCode == 200 {
			t.Errorf("%s answers the control plane: %s", listener, body)
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
			resp, body := send(t, s, by, "GET", "https://"+s.Addr("api")+"/things", "")
			if resp.StatusCode != c.status || resp.Header.Get("X-Amzn-Errortype") != c.error || !json.Valid([]byte(body)) {
				t.Fatalf("%d %s %s", resp.StatusCode, resp.Header.Get("X-Amzn-Errortype"), body)
			}
			id := resp.Header.Get("X-Amzn-Requestid")
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
	if resp, body := send(t, s, &by, "POST", "https://"+s.Addr("api")+"/", form); resp.StatusCode != 200 || !strings.Contains(body, ":user/"+firstUser) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := send(t, s, nil, "POST", "https://"+s.Addr("api")+"/", form); resp.StatusCode != 403 || !strings.Contains(body, "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
