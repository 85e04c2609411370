package gateway

import (
	"crypto/tls"
	"slices"
)

// ALPN names that AWS IoT Core knows (developer guide, "Protocols, authentication, and port mappings").
const (
	alpnMQTTCertificate = "x-amzn-mqtt-ca"
	alpnHTTPCertificate = "x-amzn-http-ca"
	alpnMQTTCustom      = "mqtt"
	alpnHTTP            = "http/1.1"
)

// tlsConfig is the TLS side of a listener, nil for the plain ones. Who is asked for a certificate is decided per
// handshake, because some clients fail when they are asked and have none, and others when they have one and are not.
// No chain is verified and the list of authorities stays empty: devices have certificates of every origin, and the
// registry decides.
func (g *Gateway) tlsConfig(kind Kind) *tls.Config {
	if kind == MQTT || kind == Console || kind == Metrics {
		return nil
	}
	base := &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		GetCertificate:              g.authority.GetCertificate,
		SessionTicketsDisabled:      true, // a resumed session would show an old certificate
		DynamicRecordSizingDisabled: true, // batches fill records
	}
	switch kind {
	case MQTTS:
		base.ClientAuth = tls.RequireAnyClientCert // any ALPN name is ignored
	case HTTPS:
		base.ClientAuth = tls.RequestClientCert
		base.NextProtos = []string{alpnHTTP, alpnMQTTCertificate, alpnHTTPCertificate}
	case API:
		base.NextProtos = []string{alpnHTTP}
	case Shared:
		base.NextProtos = []string{alpnMQTTCertificate, alpnMQTTCustom, alpnHTTPCertificate, alpnHTTP}
		return g.sharedConfig(base)
	case Console, MQTT, Metrics:
	}
	return base
}

// sharedConfig asks for a certificate only where the client's ALPN names say that it will give one.
func (g *Gateway) sharedConfig(base *tls.Config) *tls.Config {
	asking := base.Clone()
	asking.ClientAuth = tls.RequireAnyClientCert
	outer := base.Clone()
	outer.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		names := hello.SupportedProtos
		if slices.Contains(names, alpnMQTTCertificate) || slices.Contains(names, alpnHTTPCertificate) {
			return asking, nil
		}
		return base, nil
	}
	return outer
}
