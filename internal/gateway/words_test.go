package gateway

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

// describe puts a packet into words: type, packet id, codes. Reason strings are left out; see reason.
func (c *client) describe(f []byte) string {
	if f == nil {
		return "closed"
	}
	if c.version == 5 {
		return describe5(f)
	}
	return describe3(f)
}

func describe3(f []byte) string {
	body := f[1:]
	for body[0] >= 0x80 {
		body = body[1:]
	}
	body = body[1:]
	switch f[0] >> 4 {
	case 2:
		return fmt.Sprintf("CONNACK %02x present=%v", body[1], body[0] == 1)
	case 3:
		return publish3(f[0], body)
	case 4:
		return fmt.Sprintf("PUBACK %d", int(body[0])<<8|int(body[1]))
	case 9:
		return fmt.Sprintf("SUBACK %d [% x]", int(body[0])<<8|int(body[1]), body[2:])
	case 11:
		return fmt.Sprintf("UNSUBACK %d", int(body[0])<<8|int(body[1]))
	case 13:
		return "PINGRESP"
	}
	return fmt.Sprintf("% x", f)
}

func publish3(header byte, body []byte) string {
	n := 2 + int(body[0])<<8 + int(body[1])
	topic, rest, id := string(body[2:n]), body[n:], 0
	if header&0x06 != 0 {
		id, rest = int(rest[0])<<8|int(rest[1]), rest[2:]
	}
	return publishWords(topic, rest, header>>1&3, header&1 != 0, id)
}

func publishWords(topic string, payload []byte, qos byte, retain bool, id int) string {
	s := "PUBLISH " + topic
	if qos > 0 {
		s += fmt.Sprintf(" id=%d", id)
	}
	if retain {
		s += " retain"
	}
	if len(payload) > 64 {
		return s + fmt.Sprintf(" %d bytes", len(payload))
	}
	return s + " " + string(payload)
}

func describe5(f []byte) string {
	p, err := packets.ReadPacket(bytes.NewReader(f))
	if err != nil {
		return fmt.Sprintf("unreadable (%v): % x", err, f)
	}
	switch p := p.Content.(type) {
	case *packets.Connack:
		return fmt.Sprintf("CONNACK %02x present=%v", p.ReasonCode, p.SessionPresent)
	case *packets.Publish:
		return publishWords(p.Topic, p.Payload, p.QoS, p.Retain, int(p.PacketID))
	case *packets.Puback:
		if p.ReasonCode == 0 {
			return fmt.Sprintf("PUBACK %d", p.PacketID)
		}
		return fmt.Sprintf("PUBACK %d %02x", p.PacketID, p.ReasonCode)
	case *packets.Suback:
		return fmt.Sprintf("SUBACK %d [% x]", p.PacketID, p.Reasons)
	case *packets.Unsuback:
		return fmt.Sprintf("UNSUBACK %d [% x]", p.PacketID, p.Reasons)
	case *packets.Pingresp:
		return "PINGRESP"
	case *packets.Disconnect:
		return fmt.Sprintf("DISCONNECT %02x", p.ReasonCode)
	}
	return fmt.Sprintf("% x", f)
}

// properties of a packet of MQTT 5 that the server sent.
func properties(t testing.TB, f []byte) *packets.Properties {
	t.Helper()
	p, err := packets.ReadPacket(bytes.NewReader(f))
	must(t, err)
	switch p := p.Content.(type) {
	case *packets.Connack:
		return p.Properties
	case *packets.Publish:
		return p.Properties
	case *packets.Puback:
		return p.Properties
	case *packets.Suback:
		return p.Properties
	case *packets.Disconnect:
		return p.Properties
	}
	t.Fatalf("no properties in % x", f)
	return nil
}
