package thingwiretest

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
)

// Endpoint is the address for AWS SDKs: data plane, control plane and STS, each by a signature of AccessKey. The region
// is the server's; the client must trust RootPEM, as HTTPClient does.
func (s *Server) Endpoint() string { return "https://" + s.Addr("api") }

// AccessKey is an access key that may do everything, and its secret.
func (s *Server) AccessKey() (id, secret string) {
	c := s.server.Credentials()
	return c.AccessKeyID, c.Secret.Reveal()
}

// Region is the region in every ARN of the server. Signatures may name any.
func (s *Server) Region() string { return s.server.Config().Region }

// HTTPClient is a client that trusts the server. Its connections are closed with the test.
func (s *Server) HTTPClient(t testing.TB) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.RootPEM())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
