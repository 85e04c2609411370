package registry

import "time"

// NewAuthority makes a CA that lives in memory, for tests and throw-away servers. A nil now is time.Now.
//
// All its keys are ECDSA P-256, because making RSA keys would take longer than everything else at the start of such a
// server: a client that knows RSA alone cannot talk to it.
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

// makeServingInMemory makes the only server certificate of an authority without files.
func (a *Authority) makeServingInMemory(names []string) (*serving, error) {
	cert, err := a.newServerCertificate(names, makeECDSA)
	if err != nil {
		return nil, err
	}
	s := &serving{names: names, renewAt: renewalTime(cert.Leaf)}
	s.certs = append(s.certs, *cert)
	return s, nil
}
