package registry

import (
	"crypto"
	"crypto/tls"
	"time"
)

// NewAuthority makes a CA that lives in memory, for tests and throw-away servers. A nil now is time.Now.
//
// Its root and its server certificate are ECDSA P-256, because making an RSA key takes longer than everything else at the
// start of such a server. The first handshake of a client that cannot use them makes an RSA-2048 certificate, which takes
// some tenths of a second once; a client that cannot even verify the root's ECDSA signature stays outside.
func NewAuthority(now func() time.Time) (*Authority, error) {
	if now == nil {
		now = time.Now
	}
	key, root, err := newRoot(makeECDSA)
	if err != nil {
		return nil, err
	}
	return &Authority{now: now, key: key, root: root}, nil
}

// makeServingInMemory makes the server certificates of an authority without files: with RSA once a client has needed it.
func (a *Authority) makeServingInMemory(names []string) (*serving, error) {
	makers := []func() (crypto.Signer, error){makeECDSA}
	if key := a.rsaKey; key != nil {
		makers = append(makers, func() (crypto.Signer, error) { return key, nil })
	}
	s := &serving{names: names}
	for _, makeKey := range makers {
		cert, err := a.newServerCertificate(names, makeKey)
		if err != nil {
			return nil, err
		}
		s.certs, s.renewAt = append(s.certs, *cert), renewalTime(cert.Leaf)
	}
	return s, nil
}

// addRSA makes the RSA certificate of an authority in memory, or waits for whoever makes it, and gives all there are.
func (a *Authority) addRSA() ([]tls.Certificate, error) {
	a.renewing.Lock()
	defer a.renewing.Unlock()
	s := a.serving.Load()
	if s == nil || len(s.certs) > 1 {
		return a.ServerCertificates(), nil
	}
	key, err := makeRSA()
	if err != nil {
		return nil, err
	}
	a.rsaKey = key
	if s, err = a.makeServingInMemory(s.names); err != nil {
		return nil, err
	}
	a.serving.Store(s)
	return s.certs, nil
}
