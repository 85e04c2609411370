package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/sigv4"
)

// Remote is a server elsewhere and the access key to sign with. All but Token and CABundle are required.
type Remote struct {
	Endpoint                   string // URL of its api listener; http on this machine alone
	AccessKeyID, Secret, Token string
	Region                     string
	CABundle                   string // file with the CA that signed its certificate; the system's CAs when empty
}

// NewRemote makes a client that signs with an access key; nothing is dialled before the first request.
func NewRemote(r Remote) (*Client, error) {
	base, err := endpointURL(r.Endpoint)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if r.CABundle != "" {
		if transport.TLSClientConfig.RootCAs, err = readBundle(r.CABundle); err != nil {
			return nil, err
		}
	}
	return &Client{
		base: base,
		http: &http.Client{Transport: transport, CheckRedirect: noRedirect},
		sign: func(req *http.Request, body []byte, service string) {
			sigv4.Signer{
				AccessKeyID: r.AccessKeyID, Secret: r.Secret, Token: r.Token, Region: r.Region, Service: service,
			}.Sign(req, body, time.Now())
		},
		root: func() ([]byte, error) {
			if r.CABundle == "" {
				return nil, fault.New(fault.Invalid, "it is not known which CA devices of %s trust", base).
					WithRemedy("set AWS_CA_BUNDLE to the ca.pem of the server's data directory")
			}
			return os.ReadFile(r.CABundle)
		},
		notReached: func(_ *http.Request, err error) error {
			if u, ok := errors.AsType[*url.Error](err); ok {
				err = u.Err // its URL stands in the sentence
			}
			return fault.Wrap(fault.Unavailable, err, "%s does not answer", base).WithRemedy("%s", tlsRemedy(err))
		},
	}, nil
}

// noRedirect leaves a redirection as the answer: it would be signed for another place.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// endpointURL takes what AWS_ENDPOINT_URL may hold. Answers carry secrets, so plain HTTP is for this machine alone.
func endpointURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fault.New(fault.Invalid, "the endpoint %q is no URL of a server", text).WithRemedy("use one like https://localhost:9443")
	}
	if u.Scheme == "http" && !isLoopbackName(u.Hostname()) {
		return "", fault.New(fault.Invalid, "the endpoint %s is plain HTTP and not on this machine", text).WithRemedy("use https")
	}
	return strings.TrimRight(text, "/"), nil
}

func isLoopbackName(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func readBundle(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "AWS_CA_BUNDLE cannot be read").WithRemedy("set it to the ca.pem of the server's data directory")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "AWS_CA_BUNDLE %s holds no certificate", path).WithRemedy("set it to the ca.pem of the server's data directory")
	}
	return pool, nil
}
