package gateway

// principals are the names by which a connection is found when the rights of its client change: its certificate's id,
// or its access key's id and its user or role. There are none for clients that have no rights to lose.
func (c *conn) principals() []string {
	switch {
	case c.ws != nil && c.ws.signer != nil:
		return []string{c.ws.signer.AccessKeyID, ownerPrincipal(c.ws.signer.Name, c.ws.signer.Role)}
	case c.identity != nil:
		return []string{c.identity.CertificateID}
	}
	return nil
}

// register makes a connection known under its principals.
func (g *Gateway) register(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range c.principals() {
		if g.byPrincipal[name] == nil {
			g.byPrincipal[name] = map[*conn]struct{}{}
		}
		g.byPrincipal[name][c] = struct{}{}
	}
}

// forget is the opposite of serveConn and register.
func (g *Gateway) forget(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
	for _, name := range c.principals() {
		delete(g.byPrincipal[name], c)
		if len(g.byPrincipal[name]) == 0 {
			delete(g.byPrincipal, name)
		}
	}
}

// connsOf gives the connections of a principal.
func (g *Gateway) connsOf(name string) []*conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	conns := make([]*conn, 0, len(g.byPrincipal[name]))
	for c := range g.byPrincipal[name] {
		conns = append(conns, c)
	}
	return conns
}

// certificateChanged brings a change of a certificate, its policies or its things to the connections that use it.
func (g *Gateway) certificateChanged(id string) {
	for _, c := range g.connsOf(id) {
		c.rightsChanged()
	}
}
