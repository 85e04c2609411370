package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// client is the other end of a connection: it writes raw bytes, and what comes it describes in words. Packets of MQTT 5
// are made and read by Eclipse Paho's codec, those of 3.1.1 by hand: our own codec must not be its own witness.
type client struct {
	t       testing.TB
	nc      net.Conn
	version byte
	frames  chan []byte // closed when the server has closed
	ended   sync.WaitGroup
}

func newClient(t testing.TB, nc net.Conn) *client {
	c := &client{t: t, nc: nc, frames: make(chan []byte, 1<<15)}
	t.Cleanup(func() {
		_ = nc.Close()
		c.ended.Wait()
	})
	return c
}

// listen begins to read.
func (c *client) listen() {
	c.ended.Go(func() {
		defer close(c.frames)
		br := bufio.NewReader(c.nc)
		for {
			f, err := readFrame(br)
			if err != nil {
				return
			}
			c.frames <- f
		}
	})
}

// readFrame reads one packet of any version with its header.
func readFrame(br *bufio.Reader) ([]byte, error) {
	head, err := br.ReadByte()
	if err != nil {
		return nil, err
	}
	f := []byte{head}
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := br.ReadByte()
		if err != nil {
			return nil, err
		}
		f = append(f, b)
		length |= int(b&0x7F) << shift
		if b < 0x80 {
			break
		}
	}
	at := len(f)
	f = append(f, make([]byte, length)...)
	_, err = io.ReadFull(br, f[at:])
	return f, err
}

// patience bounds waits in real time; in a bubble it costs nothing.
const patience = 10 * time.Second

// next is the next packet; nil when the server has closed.
func (c *client) next() []byte {
	c.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case f := <-c.frames:
		return f
	case <-timer.C:
		c.t.Fatal("nothing came")
	}
	return nil
}

// want expects the next packets, in words; "closed" is the end.
func (c *client) want(words ...string) {
	c.t.Helper()
	for _, w := range words {
		if got := c.describe(c.next()); got != w {
			c.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// seen is all that came in a bubble, once nothing more can come by itself.
func (c *client) seen() []string {
	synctest.Wait()
	all := []string{}
	for {
		select {
		case f := <-c.frames:
			all = append(all, c.describe(f))
			if f == nil {
				return all
			}
		default:
			return all
		}
	}
}

// wantSeen expects all that came in a bubble.
func (c *client) wantSeen(words ...string) {
	c.t.Helper()
	if got := c.seen(); !slices.Equal(got, words) {
		c.t.Fatalf("got %q\nwant %q", got, words)
	}
}

// send writes packets as they are.
func (c *client) send(packets ...[]byte) {
	c.t.Helper()
	if _, err := c.nc.Write(bytes.Join(packets, nil)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// hangUp closes the socket without a word.
func (c *client) hangUp() { _ = c.nc.Close() }

// say writes packets to a server that may close before it has read them all.
func (c *client) say(packets ...[]byte) { _, _ = c.nc.Write(bytes.Join(packets, nil)) }

// hello is a CONNECT.
type hello struct {
	id        string
	clean     bool
	keepAlive uint16
	username  string
	will      *packets.Publish
	props     *packets.Properties // v5
}

// hello connects.
func (c *client) hello(v byte, h hello) {
	c.t.Helper()
	c.version = v
	c.send(h.bytes(v))
	if got := c.describe(c.next()); !strings.HasPrefix(got, "CONNACK 00") {
		c.t.Fatalf("%s: got %q", h.id, got)
	}
}

func (h hello) bytes(v byte) []byte {
	if v == 5 {
		return h.v5()
	}
	flags, rest := byte(0), []byte(nil)
	if h.clean {
		flags |= 0x02
	}
	if w := h.will; w != nil {
		flags |= 0x04 | w.QoS<<3
		if w.Retain {
			flags |= 0x20
		}
		rest = append(rest, slices.Concat(str(w.Topic), str(string(w.Payload)))...)
	}
	if h.username != "" {
		flags |= 0x80
		rest = append(rest, str(h.username)...)
	}
	return frame(0x10, str("MQTT"), []byte{4, flags}, u16(h.keepAlive), str(h.id), rest)
}

func (h hello) v5() []byte {
	p := &packets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: h.id, CleanStart: h.clean, KeepAlive: h.keepAlive,
		Properties: h.props, Username: h.username, UsernameFlag: h.username != "",
	}
	if p.Properties == nil {
		p.Properties = &packets.Properties{}
	}
	if w := h.will; w != nil {
		p.WillFlag, p.WillTopic, p.WillMessage, p.WillQOS, p.WillRetain = true, w.Topic, w.Payload, w.QoS, w.Retain
		p.WillProperties = w.Properties
		if p.WillProperties == nil {
			p.WillProperties = &packets.Properties{}
		}
	}
	return paho(packets.CONNECT, p)
}

// paho encodes a packet of MQTT 5.
func paho(kind byte, content packets.Packet) []byte {
	p := packets.NewControlPacket(kind)
	p.Content = content
	var b bytes.Buffer
	if _, err := p.WriteTo(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// frame puts header and Remaining Length before a body.
func frame(header byte, body ...[]byte) []byte {
	all := bytes.Join(body, nil)
	f := []byte{header}
	for n := len(all); ; {
		b := byte(n & 0x7F)
		if n >>= 7; n > 0 {
			f = append(f, b|0x80)
			continue
		}
		return append(append(f, b), all...)
	}
}

func str(s string) []byte { return append(u16(uint16(len(s))), s...) }

func u16(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }

// publish is a PUBLISH of the client's version.
func (c *client) publish(topic, payload string, qos byte, id uint16) []byte {
	return c.publishMore(&packets.Publish{Topic: topic, Payload: []byte(payload), QoS: qos, PacketID: id})
}

// retained is a PUBLISH with RETAIN.
func (c *client) retained(topic, payload string, qos byte, id uint16) []byte {
	return c.publishMore(&packets.Publish{Topic: topic, Payload: []byte(payload), QoS: qos, PacketID: id, Retain: true})
}

func (c *client) publishMore(p *packets.Publish) []byte {
	if c.version == 5 {
		if p.Properties == nil {
			p.Properties = &packets.Properties{}
		}
		return paho(packets.PUBLISH, p)
	}
	header, id := byte(0x30)|p.QoS<<1, []byte(nil)
	if p.Retain {
		header |= 1
	}
	if p.QoS > 0 {
		id = u16(p.PacketID)
	}
	return frame(header, str(p.Topic), id, p.Payload)
}

// subscribe is a SUBSCRIBE for one or more filters.
func (c *client) subscribe(id uint16, qos byte, filters ...string) []byte {
	body := u16(id)
	if c.version == 5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = append(append(body, str(f)...), qos)
	}
	return frame(0x82, body)
}

func (c *client) unsubscribe(id uint16, filters ...string) []byte {
	body := u16(id)
	if c.version == 5 {
		body = append(body, 0)
	}
	for _, f := range filters {
		body = append(body, str(f)...)
	}
	return frame(0xA2, body)
}

// sub subscribes and waits for the SUBACK.
func (c *client) sub(qos byte, filter string) {
	c.t.Helper()
	c.send(c.subscribe(1, qos, filter))
	c.want(fmt.Sprintf("SUBACK 1 [%02x]", qos))
}

func puback(id uint16) []byte { return frame(0x40, u16(id)) }

func pingreq() []byte { return []byte{0xC0, 0} }

func disconnect() []byte { return []byte{0xE0, 0} }

// ping proves that the connection lives and that all before it was answered.
func (c *client) ping() {
	c.t.Helper()
	c.send(pingreq())
	c.want("PINGRESP")
}
