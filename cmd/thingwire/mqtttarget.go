package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/thingwire/thingwire/device"
	"github.com/thingwire/thingwire/internal/fault"
)

// target is a server and who we are to it.
type target struct{ device.Dialer }

// newTarget takes the endpoint, and certificate, key and CA in PEM.
func newTarget(endpoint string, port uint16, certPEM, keyPEM, rootPEM []byte) (target, error) {
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return target{}, fault.Wrap(fault.Invalid, err, "the certificate and the private key do not work together").
			WithRemedy("check --cert and --key")
	}
	t, err := trusting(endpoint, port, rootPEM)
	t.TLS.Certificates = []tls.Certificate{cert}
	return t, err
}

// trusting is a target without a certificate. Without a CA the system's are trusted.
func trusting(endpoint string, port uint16, rootPEM []byte) (target, error) {
	t := target{device.Dialer{Endpoint: endpoint, Port: port, TLS: &tls.Config{ServerName: endpoint, MinVersion: tls.VersionTLS12}}}
	if rootPEM == nil {
		return t, nil
	}
	t.TLS.RootCAs = x509.NewCertPool()
	if !t.TLS.RootCAs.AppendCertsFromPEM(rootPEM) {
		return t, fault.New(fault.Invalid, "the root CA holds no certificate").WithRemedy("check --root-ca")
	}
	return t, nil
}

// dial makes a connection that may be written to from several goroutines.
func (t target) dial(ctx context.Context) (net.Conn, error) {
	conn, err := t.Dial(ctx)
	if err == nil {
		return packets.NewThreadSafeConn(conn), nil
	}
	return nil, t.refused(err)
}

// refused puts a connection that was not made into words.
func (t target) refused(err error) error {
	refused := fault.Wrap(fault.Unavailable, err, "cannot connect to %s", t.Address())
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refused.WithRemedy("check --root-ca, and that --endpoint is a name in the server's certificate")
	}
	if _, ok := errors.AsType[*device.ProxyError](err); ok {
		return refused.WithRemedy("check --proxy-host and --proxy-port")
	}
	if u, ok := errors.AsType[*device.UpgradeError](err); ok {
		return t.refusedUpgrade(refused, u)
	}
	return refused.WithRemedy("check that the server runs, and --endpoint and --port")
}

// refusedUpgrade tells an access key that is not good from a listener that has no WebSocket.
func (t target) refusedUpgrade(refused *fault.Error, u *device.UpgradeError) error {
	if u.Status == http.StatusForbidden || u.Status == http.StatusUnauthorized {
		refused.Kind = fault.Denied
		return refused.WithRemedy("check the access key (AWS_ACCESS_KEY_ID or AWS_PROFILE), and that its policy allows iot:Connect")
	}
	return refused.WithRemedy("check that --port is one for WebSockets: 443, or that of the api listener")
}

// refusedConnect puts a refused CONNECT into words.
func refusedConnect(t target, clientID string, connack *paho.Connack, err error) error {
	if connack == nil {
		closed := fault.Wrap(fault.Unavailable, err, "%s closed the connection before it answered", t.Address())
		if t.Presign != nil {
			return closed.WithRemedy("check that the policy of the access key allows iot:Connect for client id %s", clientID)
		}
		return closed.WithRemedy("check that the certificate is registered and active, and that its policy allows iot:Connect for client id %s", clientID)
	}
	e := fault.New(reasonKind(connack.ReasonCode), "the server refused the connection of client id %s: %s", clientID, reason(connack.ReasonCode))
	if connack.Properties != nil && connack.Properties.ReasonString != "" {
		return e.WithRemedy("it says: %s", connack.Properties.ReasonString)
	}
	if connack.ReasonCode == packets.ConnackNotAuthorized {
		return e.WithRemedy("allow iot:Connect for this client id in the policy; with the policy thing-scoped it is the thing's name: --client-id NAME")
	}
	return e
}

// refusedAnswer puts a refused SUBSCRIBE or PUBLISH into words.
func refusedAnswer(doing, topic string, code byte, words string) error {
	e := fault.New(reasonKind(code), "the server refused to let us %s %q: %s", doing, topic, reason(code))
	if words != "" {
		return e.WithRemedy("it says: %s", words)
	}
	if e.Kind == fault.Denied {
		return e.WithRemedy("allow it in the policy of the certificate or access key")
	}
	return e
}

// disconnected puts a DISCONNECT of the server into words.
func disconnected(d *paho.Disconnect) error {
	e := fault.New(reasonKind(d.ReasonCode), "the server closed the connection: %s", reason(d.ReasonCode))
	if d.Properties != nil && d.Properties.ReasonString != "" {
		return e.WithRemedy("it says: %s", d.Properties.ReasonString)
	}
	return e
}

// reasonNames are the reason codes (MQTT 5, 2.4) that a client meets most.
var reasonNames = map[byte]string{
	0x80: "unspecified error", 0x81: "malformed packet", 0x82: "protocol error", 0x83: "implementation specific error",
	0x84: "unsupported protocol version", 0x85: "client identifier not valid", 0x86: "bad user name or password",
	0x87: "not authorized", 0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned", 0x8B: "server shutting down",
	0x8D: "keep alive timeout", 0x8E: "session taken over by another client with this client id",
	0x8F: "topic filter invalid", 0x90: "topic name invalid", 0x93: "receive maximum exceeded", 0x95: "packet too large",
	0x96: "message rate too high", 0x97: "quota exceeded", 0x98: "administrative action", 0x9E: "shared subscriptions not supported",
	0xA2: "wildcard subscriptions not supported",
}

func reason(code byte) string {
	if name, ok := reasonNames[code]; ok {
		return name
	}
	return fmt.Sprintf("reason code 0x%02X", code)
}

func reasonKind(code byte) fault.Kind {
	switch code {
	case 0x87:
		return fault.Denied
	case 0x8E:
		return fault.Conflict
	case 0x85, 0x8F, 0x90:
		return fault.Invalid
	case 0x96, 0x97:
		return fault.Throttled
	}
	return fault.Unavailable
}

func reasonOf(s *paho.Suback) string {
	if s.Properties == nil {
		return ""
	}
	return s.Properties.ReasonString
}

func puback(r *paho.PublishResponse) string {
	if r.Properties == nil {
		return ""
	}
	return r.Properties.ReasonString
}

// readPEM reads a file that a flag names.
func readPEM(flag, path string) ([]byte, error) {
	if path == "" {
		return nil, usage("--%s is missing; thingwire thing create NAME makes the files", flag)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "--%s cannot be read", flag).WithRemedy("thingwire thing create NAME makes the files")
	}
	return data, nil
}
