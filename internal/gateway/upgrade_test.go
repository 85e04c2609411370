package gateway

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/journal"
)

// presign is the query that the AWS signer makes for an upgrade, which has no token.
func (s *signer) presign(t *testing.T, host, service, more string, header http.Header) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://name/mqtt"+more, http.NoBody)
	must(t, err)
	r.Host, r.Header = host, header
	empty := sha256.Sum256(nil)
	address, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.Secret},
		r, hex.EncodeToString(empty[:]), service, "us-east-1", time.Now())
	must(t, err)
	u, err := url.Parse(address)
	must(t, err)
	return u.RawQuery
}

// TestUpgradesOfDeviceSDKs: the upgrades as the AWS SDKs send them (client-traps, "Upgrade requests as captured"), with
// the answer that the most particular of them needs: all in one read of 1024 bytes, names in lower case, no extension.
func TestUpgradesOfDeviceSDKs(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		key := r.signer(allowAll)
		session := r.session(key, time.Hour)
		escaped := url.QueryEscape(session.Token)
		long := base64.StdEncoding.EncodeToString(slices.Repeat([]byte{0xA5}, 128))
		crt := func(s *signer) string {
			return s.presign(t, "localhost", "iotdevicegateway", "", http.Header{"Connection": {"Upgrade"}})
		}
		before, signature, _ := strings.Cut(crt(session), "&X-Amz-Signature=")
		python := func(s *signer) string {
			return s.presign(t, "abc123-ats.iot.us-east-1.amazonaws.com", "iotdata", "?X-Amz-Expires=86400", nil)
		}
		js := func(s *signer) string { return s.presign(t, "localhost:9443", "iotdevicegateway", "", nil) }
		v2 := []string{"Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt"}
		v1Python := []string{"Host: abc123-ats.iot.us-east-1.amazonaws.com", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqttv3.1", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "sec-websocket-key: " + long}
		v1JS := []string{"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "Sec-WebSocket-Protocol: mqttv3.1", "Host: localhost:9443"}
		for _, tt := range []struct {
			name, query string
			lines       []string
			protocol    string
		}{
			{"SDK v2", crt(key), v2, "mqtt"},
			{"SDK v2, session", before + "&X-Amz-Security-Token=" + escaped + "&X-Amz-Signature=" + signature, v2, "mqtt"},
			{"SDK v1 Python", python(key), v1Python, "mqttv3.1"},
			{"SDK v1 Python, session, bare slash", python(session) + "&X-Amz-Security-Token=" + strings.ReplaceAll(escaped, "%2F", "/"), v1Python, "mqttv3.1"},
			{"SDK v1 JavaScript", js(key) + "&X-Amz-Security-Token=", v1JS, "mqttv3.1"},
			{"SDK v1 JavaScript, session", js(session) + "&X-Amz-Security-Token=" + escaped, v1JS, "mqttv3.1"},
		} {
			row(t, tt.name, func(t testing.TB) {
				nc := r.piped()
				defer func() { _ = nc.Close() }()
				_, err := io.WriteString(nc, "GET /mqtt?"+tt.query+" HTTP/1.1\r\n"+strings.Join(tt.lines, "\r\n")+"\r\n\r\n")
				must(t, err)
				buf := make([]byte, 1024)
				n, err := nc.Read(buf)
				must(t, err)
				answer := string(buf[:n])
				for _, words := range []string{"HTTP/1.1 101 Switching Protocols\r\n", "\r\nupgrade: websocket\r\n", "\r\nconnection: upgrade\r\n", "\r\nsec-websocket-accept: ", "\r\nsec-websocket-protocol: " + tt.protocol + "\r\n"} {
					if !strings.Contains(answer, words) {
						t.Errorf("no %q in %q", words, answer)
					}
				}
				if !strings.HasSuffix(answer, "\r\n\r\n") || strings.Contains(strings.ToLower(answer), "extensions") {
					t.Errorf("the answer is %q", answer)
				}
			})
		}
	}, withKeys)
}

// TestAcceptOfTheKey: the example of RFC 6455, section 1.3.
func TestAcceptOfTheKey(t *testing.T) {
	if got := string(switching("dGhlIHNhbXBsZSBub25jZQ==", "")); !strings.Contains(got, "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
		t.Errorf("got %q", got)
	}
}

// with changes the line of a header, or adds it; an empty value removes it.
func with(lines []string, name, value string) []string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, name+":") })
	if value == "" {
		return lines
	}
	return append(lines, name+": "+value)
}

// TestUpgradeRules is the table of what an upgrade may be.
func TestUpgradeRules(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		good := asked(nobody.address())
		const wrong = "400 InvalidRequestException"
		for _, tt := range []struct {
			name  string
			kind  Kind
			lines []string
			want  string // status and exception, or status and sub-protocol
			words string
		}{
			{"as most", API, good, "101 mqtt", ""},
			{"shared", Shared, good, "101 mqtt", ""},
			{"console", Console, good, "101 mqtt", ""},
			{"https", HTTPS, good, wrong, "api or the shared listener"},
			{"case", API, with(with(good, "Connection", "UPGRADE"), "Upgrade", "WebSocket"), "101 mqtt", ""},
			{"lists", API, with(with(good, "Connection", "keep-alive, Upgrade"), "Upgrade", "h2c, websocket"), "101 mqtt", ""},
			{"two lines", API, append(slices.Clone(good), "Connection: keep-alive"), "101 mqtt", ""},
			{"old sub-protocol", API, with(good, "Sec-WebSocket-Protocol", "mqttv3.1"), "101 mqttv3.1", ""},
			{"several sub-protocols", API, with(good, "Sec-WebSocket-Protocol", "chat, mqttv3.1,mqtt"), "101 mqtt", ""},
			{"none known of several", API, with(good, "Sec-WebSocket-Protocol", "chat, mqttv5"), wrong, "Sec-WebSocket-Protocol"},
			{"no sub-protocol", API, with(good, "Sec-WebSocket-Protocol", ""), "101 ", ""},
			{"extensions", API, append(slices.Clone(good), "Sec-WebSocket-Extensions: permessage-deflate"), "101 mqtt", ""},
			{"longest key", API, with(good, "Sec-WebSocket-Key", strings.Repeat("A", 512)), "101 mqtt", ""},
			{"too long a key", API, with(good, "Sec-WebSocket-Key", strings.Repeat("A", 513)), wrong, "Sec-WebSocket-Key"},
			{"no key", API, with(good, "Sec-WebSocket-Key", ""), wrong, "Sec-WebSocket-Key"},
			{"two keys", API, append(slices.Clone(good), "Sec-WebSocket-Key: BBBB"), wrong, "Sec-WebSocket-Key"},
			{"no version", API, with(good, "Sec-WebSocket-Version", ""), "426 InvalidRequestException", "13"},
			{"old version", API, with(good, "Sec-WebSocket-Version", "8"), "426 InvalidRequestException", "13"},
			{"no upgrade", API, with(good, "Upgrade", ""), wrong, "Upgrade"},
			{"another upgrade", API, with(good, "Upgrade", "h2c"), wrong, "Upgrade"},
			{"no connection", API, with(good, "Connection", ""), wrong, "Connection"},
			{"another connection", API, with(good, "Connection", "keep-alive"), wrong, "Connection"},
			{"a body", API, append(slices.Clone(good), "Content-Length: 1"), wrong, "body"},
			{"chunks", API, append(slices.Clone(good), "Transfer-Encoding: chunked"), wrong, "body"},
			{"POST", API, slices.Concat([]string{"POST /mqtt HTTP/1.1"}, good[1:], []string{"Content-Length: 0"}), "405 MethodNotAllowedException", "POST"},
			{"HTTP/1.0", API, slices.Concat([]string{"GET /mqtt HTTP/1.0"}, good[1:]), wrong, "1.0"},
			{"another path", API, slices.Concat([]string{"GET /mqtt/ HTTP/1.1"}, good[1:]), "501 NotImplementedException", ""},
			{"metrics", Metrics, good, "501 NotImplementedException", ""},
		} {
			row(t, tt.name, func(t testing.TB) {
				nc := r.pipedOn(tt.kind)
				defer func() { _ = nc.Close() }()
				resp, br := upgraded(t, nc, tt.lines...)
				got := fmt.Sprintf("%d %s", resp.StatusCode, resp.Header.Get("x-amzn-ErrorType"))
				if resp.StatusCode == http.StatusSwitchingProtocols {
					got += resp.Header.Get("Sec-WebSocket-Protocol")
					defer r.endOf(nc, br)
				}
				if got != tt.want || resp.Header.Get("Sec-WebSocket-Extensions") != "" {
					t.Errorf("got %q, want %q: %v", got, tt.want, resp.Header)
				}
				if tt.words == "" {
					return
				}
				var body struct{ Message, TraceID string }
				must(t, json.NewDecoder(resp.Body).Decode(&body))
				if !strings.Contains(body.Message, tt.words) || body.TraceID == "" || body.TraceID != resp.Header.Get("x-amzn-RequestId") {
					t.Errorf("the body is %+v", body)
				}
				if resp.StatusCode == http.StatusUpgradeRequired && resp.Header.Get("Sec-WebSocket-Version") != "13" {
					t.Errorf("the headers are %v", resp.Header)
				}
				if e := r.refusal(journal.ReasonInvalid, tt.words); e.Remedy == "" && tt.kind != HTTPS {
					t.Errorf("the journal says %+v", r.journal.Query(journal.Query{Unnamed: true}))
				}
			})
		}
	})
}

// refusal is what the journal has about a stranger that was refused for a reason, with these words.
func (r *rig) refusal(reason, words string) journal.Entry {
	for _, e := range r.journal.Query(journal.Query{Unnamed: true}) {
		if e.EventType == journal.AuthNError && e.Reason == reason && strings.Contains(e.Cause, words) {
			return e
		}
	}
	return journal.Entry{}
}

// endOf closes a client's end and reads what comes until the server's end.
func (*rig) endOf(nc net.Conn, br io.Reader) {
	_ = nc.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, _ = io.Copy(io.Discard, br)
	_ = nc.Close()
}

// TestRefusedSignatures: a signature that is not good is 403 before there is a WebSocket, and the journal says why. No
// answer and no entry has the secret, the token or the query.
func TestRefusedSignatures(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		session := r.session(s, time.Hour)
		changed := func(change func(*signer)) *signer {
			own := *s
			change(&own)
			return &own
		}
		gone := r.session(s, time.Hour)
		gone.Token = gone.Token[:len(gone.Token)-8] + "AAAAAAA="
		inactive, secret, err := r.keys.CreateAccessKey(t.Context(), s.user)
		must(t, err)
		must(t, r.keys.SetAccessKeyActive(t.Context(), s.user, inactive.ID, false))
		early := *session
		for _, tt := range []struct {
			name   string
			query  string
			reason string
			words  string // in the journal
		}{
			{"another secret", changed(func(s *signer) { s.Secret = "x" }).address().RawQuery, journal.ReasonSignatureMismatch, "does not match"},
			{"unknown key", changed(func(s *signer) { s.AccessKeyID = "AKIAXXXXXXXXXXXXXXXX" }).address().RawQuery, journal.ReasonTokenInvalid, "security token"},
			{"inactive key", changed(func(s *signer) { s.AccessKeyID, s.Secret = inactive.ID, secret.Reveal() }).address().RawQuery, journal.ReasonTokenInvalid, "security token"},
			{"another service", changed(func(s *signer) { s.Service = "s3" }).address().RawQuery, journal.ReasonSignatureMismatch, "iotdevicegateway"},
			{"broken token", gone.address().RawQuery, journal.ReasonTokenInvalid, "security token"},
			{"no token", changed(func(s *signer) { s.AccessKeyID, s.Secret = session.AccessKeyID, session.Secret }).address().RawQuery, journal.ReasonTokenInvalid, "security token"},
			{"half a signature", "X-Amz-Algorithm=AWS4-HMAC-SHA256", journal.ReasonTokenInvalid, "X-Amz-Credential"},
			{"too old", s.Presign(nobody.address(), time.Now().Add(-2*time.Hour), time.Hour).RawQuery, journal.ReasonTokenExpired, "expired"},
			{"session over", early.Presign(nobody.address(), time.Now().Add(2*time.Hour), time.Hour).RawQuery, journal.ReasonTokenExpired, "expired"},
		} {
			row(t, tt.name, func(t testing.TB) {
				if tt.name == "session over" {
					pass(2 * time.Hour)
				}
				nc := r.piped()
				defer func() { _ = nc.Close() }()
				u := nobody.address()
				u.RawQuery = tt.query
				resp, _ := upgraded(t, nc, asked(u)...)
				var body struct{ Message, TraceID string }
				must(t, json.NewDecoder(resp.Body).Decode(&body))
				if resp.StatusCode != http.StatusForbidden || resp.Header.Get("x-amzn-ErrorType") != "ForbiddenException" || body.Message == "" {
					t.Errorf("got %d %v %+v", resp.StatusCode, resp.Header, body)
				}
				if strings.Contains(body.Message, "key list") || strings.Contains(body.Message, "inactive") {
					t.Errorf("the answer tells a stranger %q", body.Message)
				}
				e := r.refusal(tt.reason, tt.words)
				if e.Remedy == "" || e.AuthType != "AWS_SIGV4" || e.TraceID == "" || e.Listener != string(API) {
					t.Errorf("the journal says %+v", r.journal.Query(journal.Query{Unnamed: true}))
				}
				all := fmt.Sprintf("%+v %+v", body, e)
				for _, secret := range []string{s.Secret, session.Secret, session.Token, "X-Amz-Signature=", secret.Reveal()} {
					if strings.Contains(all, secret) {
						t.Errorf("%q is in %q", secret, all)
					}
				}
			})
		}
		if n := r.gateway.counts.WebSockets[AuthFailed].Load(); n != 9 {
			t.Errorf("%d refusals were counted", n)
		}
	}, withKeys)
}

// TestSignedInTheHeader: an upgrade may be signed in its Authorization header, in any region, for either service.
func TestSignedInTheHeader(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		s := r.signer(allowAll)
		for _, service := range awsServices {
			s.Service = service
			u := nobody.address()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u.String(), http.NoBody)
			must(t, err)
			s.Sign(req, nil, time.Now())
			nc := r.piped()
			resp, br := upgraded(t, nc, asked(u, "Authorization: "+req.Header.Get("Authorization"), "X-Amz-Date: "+req.Header.Get("X-Amz-Date"))...)
			if resp.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("%s: %d", service, resp.StatusCode)
			}
			r.endOf(nc, br)
		}
	}, withKeys)
}

var awsServices = []string{"iotdata", "iotdevicegateway"}

// TestUnsignedUpgrade: an upgrade without a signature is 101, since its client may show at CONNECT who it is; there it is
// refused, with words.
func TestUnsignedUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for v, want := range map[byte][]string{5: {"CONNACK 87 present=false", "closed"}, 3: {"closed"}} {
			c := r.web(nil)
			c.version = v
			id := fmt.Sprint("nobody", v)
			c.send(hello{id: id, clean: true, username: "?x-amz-customauthorizer-name=mine"}.bytes(v))
			c.wantSeen(want...)
			r.wantCause(id, "FORBIDDEN_ACCESS")
			e := r.journal.Query(journal.Query{ClientID: id})[0]
			if e.Reason != journal.ReasonNotAuthenticated || !strings.Contains(e.Cause, "not signed") || !strings.Contains(e.Remedy, "Signature Version 4") ||
				!strings.Contains(e.Remedy, "authorizers") {
				t.Errorf("the journal says %+v", e)
			}
		}
	}, withKeys)
}

// TestNoKeysNoSignatures: a gateway without access keys refuses signed upgrades.
func TestNoKeysNoSignatures(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		nc := r.piped()
		defer func() { _ = nc.Close() }()
		resp, _ := upgraded(t, nc, asked((&signer{}).address())...)
		e := r.refusal(journal.ReasonNotAuthenticated, "no access keys")
		if resp.StatusCode != http.StatusForbidden || e.TraceID != resp.Header.Get("x-amzn-RequestId") {
			t.Errorf("got %d %v, the journal says %+v", resp.StatusCode, resp.Header, e)
		}
	})
}

// TestMayUpgrade: who serves web pages decides before all else.
func TestMayUpgrade(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.mayUpgrade = func(req *http.Request, requestID string) error {
			if requestID == "" {
				t.Error("asked without the id of the request")
			}
			if req.Header.Get("Origin") != "" {
				return fault.New(fault.Denied, "a page of another")
			}
			return nil
		}
		for origin, want := range map[string]int{"http://evil.example": 403, "": 101} {
			nc := r.pipedOn(Console)
			resp, br := upgraded(t, nc, with(asked(nobody.address()), "Origin", origin)...)
			if resp.StatusCode != want {
				t.Errorf("%q: %d", origin, resp.StatusCode)
			}
			r.endOf(nc, br)
		}
	}, withKeys)
}

// TestWaitingRoomOfWebSockets: a socket whose upgrade is not signed stays a stranger until its end, and an address may
// have so many.
func TestWaitingRoomOfWebSockets(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.gateway.perAddress = 2
		s := r.signer(allowAll)
		dial := func(s *signer) (net.Conn, int) {
			near, far := net.Pipe()
			from := remote{far, net.IPv4(192, 0, 2, 1)}
			go r.gateway.http.take(&replayConn{Conn: from, gateway: r.gateway, peer: &Peer{Listener: API, raw: from}})
			resp, _ := upgraded(t, near, asked(s.address())...)
			return near, resp.StatusCode
		}
		first, status := dial(nil)
		second, _ := dial(nil)
		third, refused := dial(nil)
		signed, fine := dial(s)
		if status != 101 || refused != 429 || fine != 101 {
			t.Errorf("got %d, %d, %d", status, refused, fine)
		}
		entries := r.journal.Query(journal.Query{Unnamed: true})
		if len(entries) != 1 || entries[0].Reason != journal.ReasonTooManySockets {
			t.Errorf("the journal says %+v", entries)
		}
		for _, nc := range []net.Conn{first, second, third, signed} {
			_ = nc.Close()
		}
		synctest.Wait()
		pass(lastWords)
		synctest.Wait()
		if n := len(r.gateway.waiting.m); n != 0 {
			t.Errorf("%d addresses are remembered", n)
		}
	}, withKeys)
}

// remote is a connection from an address.
type remote struct {
	net.Conn
	ip net.IP
}

func (r remote) RemoteAddr() net.Addr { return &net.TCPAddr{IP: r.ip, Port: 1} }

// TestWebSocketOnListeners: on real sockets, which listener speaks it, and what the others say.
func TestWebSocketOnListeners(t *testing.T) {
	r := newRig(t, withTLS, withKeys)
	r.open(API)
	s := r.signer(allowAll)
	for _, tt := range []struct {
		kind   Kind
		alpn   string
		status int
		words  string
	}{
		{API, "", 101, ""},
		{API, alpnHTTP, 101, ""},
		{Shared, alpnHTTP, 101, ""},
		{Shared, "", 101, ""},
		{HTTPS, alpnHTTP, 400, "the api listener (wss, port "},
		{MQTTS, "", 400, "MQTT over WebSocket is on the api listener (wss, port "},
	} {
		t.Run(fmt.Sprint(tt.kind, " ", tt.alpn), func(t *testing.T) {
			var names []string
			if tt.alpn != "" {
				names = []string{tt.alpn}
			}
			var d *device
			if tt.kind == MQTTS {
				d = r.device(allowAll)
			}
			cfg, _ := r.tlsConfig(d, names...)
			c, err := r.secure(tt.kind, cfg)
			must(t, err)
			resp, _ := upgraded(t, c.nc, asked(s.address())...)
			if resp.StatusCode != tt.status {
				t.Errorf("got %d", resp.StatusCode)
			}
			if tt.status == 101 {
				return
			}
			body, err := io.ReadAll(io.LimitReader(resp.Body, resp.ContentLength))
			must(t, err)
			if !strings.Contains(string(body), tt.words) {
				t.Errorf("the answer is %q", body)
			}
		})
	}
	resp, _ := upgraded(t, r.socket(Console), asked(s.address())...)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Errorf("console: %d", resp.StatusCode)
	}
}
