package gateway

import (
	"net"

	"github.com/eclipse/paho.golang/packets"
)

// tcp is a client on a loopback socket of the plain listener.
func (r *rig) tcp() *client {
	c := r.tcp0()
	c.listen()
	return c
}

// tcp0 does not read before listen is called.
func (r *rig) tcp0() *client {
	r.t.Helper()
	return newClient(r.t, r.socket(MQTT))
}

// socket connects to a listener of a kind, which is opened when it is not there yet.
func (r *rig) socket(kind Kind) net.Conn {
	r.t.Helper()
	var d net.Dialer
	nc, err := d.DialContext(r.t.Context(), "tcp", r.open(kind))
	must(r.t, err)
	return nc
}

// open gives the address of the listener of a kind.
func (r *rig) open(kind Kind) string {
	r.t.Helper()
	if r.listeners == nil {
		r.listeners = map[Kind]string{}
	}
	if r.listeners[kind] == "" {
		addr, err := r.gateway.Listen(kind, "127.0.0.1:0")
		must(r.t, err)
		r.listeners[kind] = addr.String()
	}
	return r.listeners[kind]
}

func (*client) will(topic, text string) *packets.Publish {
	return &packets.Publish{Topic: topic, Payload: []byte(text)}
}
