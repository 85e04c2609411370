package device

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strconv"
)

// The ALPN names of port 443, where one port serves several protocols (AWS IoT developer guide, "Device communication
// protocols"). On other ports nothing is offered, as AWS's SDKs do it.
const (
	alpnMQTT = "x-amzn-mqtt-ca"
	alpnHTTP = "http/1.1"

	sharedPort = 443
	mqttPort   = 8883
)

// Dialer opens connections to one endpoint. The zero value of each field is usable, but for Endpoint.
type Dialer struct {
	// Endpoint is the host name of the server, and Port its port: 8883, for a WebSocket 443, when it is 0.
	Endpoint string
	Port     uint16

	// TLS has the device's certificate and the CAs that are trusted. ServerName is Endpoint, and NextProtos is what AWS
	// wants on this port, where they are empty.
	TLS *tls.Config

	// Proxy is the host:port of an HTTP proxy that is asked to CONNECT; empty for none.
	Proxy string

	// Presign signs the address of a WebSocket, wss://ENDPOINT/mqtt, in its query: with Signature Version 4, service
	// iotdevicegateway. It is asked for each connection. Nil makes no WebSocket but MQTT on TLS.
	Presign func(*url.URL) (*url.URL, error)
}

// Dial opens a connection. Errors are a *ProxyError or an *UpgradeError where somebody on the way refused, else those of
// net and crypto/tls. The context ends the attempt, not the connection.
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := d.dialTCP(ctx)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, d.tlsConfig())
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the first error counts
		return nil, err
	}
	if d.Presign == nil {
		return secure, nil
	}
	ws, err := d.upgrade(ctx, secure)
	if err != nil {
		_ = secure.Close() // the first error counts
		return nil, err
	}
	return ws, nil
}

// Address is the host:port that is dialled.
func (d *Dialer) Address() string { return net.JoinHostPort(d.Endpoint, strconv.Itoa(int(d.port()))) }

func (d *Dialer) port() uint16 {
	switch {
	case d.Port != 0:
		return d.Port
	case d.Presign != nil:
		return sharedPort
	}
	return mqttPort
}

func (d *Dialer) dialTCP(ctx context.Context) (net.Conn, error) {
	if d.Proxy != "" {
		return dialProxy(ctx, d.Proxy, d.Address())
	}
	return new(net.Dialer).DialContext(ctx, "tcp", d.Address())
}

func (d *Dialer) tlsConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.TLS != nil {
		cfg = d.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = d.Endpoint
	}
	if len(cfg.NextProtos) == 0 && d.port() == sharedPort {
		cfg.NextProtos = []string{alpnMQTT}
		if d.Presign != nil {
			cfg.NextProtos = []string{alpnHTTP}
		}
	}
	return cfg
}
