package delivery

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"
)

// Bounds of the pool of connections. A receiver that hangs holds no more than maxConnections of them: who waits for one
// longer than the timeout has timed out.
const (
	maxConnections = 256
	maxIdle        = maxConnections // to one host: what a burst has opened is not closed between two requests
	maxIdleAll     = 4 * maxIdle
	idleTime       = 90 * time.Second
)

// transport is a pool of connections over HTTP/1.1. It follows no redirect, keeps no cookie, asks no proxy (which would
// resolve names out of the guard's sight) and unpacks no compressed answer.
func (s *Sender) transport(dial dialFunc, roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    s.cfg.Timeout,
		DisableCompression:     true,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConnsPerHost:    maxIdle,
		MaxIdleConns:           maxIdleAll,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: 32 << 10,
	}
}

// waited makes Close wait for a dial, and end it: the transport lets dials go on when their request is over.
func (s *Sender) waited(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !s.work.begin() {
			return nil, net.ErrClosed
		}
		defer s.work.end()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.life, cancel)()
		return dial(ctx, network, address)
	}
}

// withoutName dials TLS without naming the server in the handshake, for receivers that cannot bear SNI. The certificate
// is verified as with it.
func withoutName(dial dialFunc, roots *x509.CertPool, timeout time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies; without a ServerName crypto/tls would not
			VerifyConnection: func(state tls.ConnectionState) error {
				return verify(state.PeerCertificates, host, roots)
			},
		})
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		return conn, nil
	}
}

func verify(chain []*x509.Certificate, host string, roots *x509.CertPool) error {
	if len(chain) == 0 {
		return errors.New("tls: the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: between})
	return err
}
