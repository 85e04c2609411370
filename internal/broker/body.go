package broker

import (
	"encoding/binary"
	"errors"
)

// A body is a message as it stands in a queue or as a retained document: see docs/store-format.md.
//
//	format  1 byte: 1, or 2 for a message that others caused
//	flags   1 byte, bodyRetain …
//	hops    1 byte, only in format 2: how many messages caused each other up to this one
//	time    8 bytes, milliseconds since 1970
//	expires 8 bytes, only with bodyExpires
//	topic   uvarint length and bytes
//	content type, response topic, correlation data, user properties: only with their flags
//	payload the rest
const (
	bodyFormat     = 1
	bodyFormatHops = 2
)

const (
	bodyRetain      = 1 << iota // hand out with RETAIN
	bodyQoS1                    // published at QoS 1
	bodyExpires                 //
	bodyFormatText              // Payload Format Indicator 1
	bodyFormatBytes             // Payload Format Indicator 0, given in words
	bodyStrings                 // content type and response topic follow
	bodyCorrelation             //
	bodyUser                    // user properties follow
)

var errBody = errors.New("message body in the store is damaged")

// appendBody encodes a message.
func appendBody(b []byte, m *Message, retain bool) []byte {
	if m.hops == 0 {
		b = append(b, bodyFormat, bodyFlags(m, retain))
	} else {
		b = append(b, bodyFormatHops, bodyFlags(m, retain), m.hops)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(m.Time))
	if m.Expires != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(m.Expires))
	}
	b = appendText(b, m.Topic)
	if p := m.Props; p != nil {
		if p.ContentType != "" || p.ResponseTopic != "" {
			b = appendText(appendText(b, p.ContentType), p.ResponseTopic)
		}
		if p.CorrelationData != nil {
			b = appendText(b, string(p.CorrelationData))
		}
		if len(p.User) > 0 {
			b = binary.AppendUvarint(b, uint64(len(p.User)))
			for _, u := range p.User {
				b = appendText(appendText(b, u.Key), u.Value)
			}
		}
	}
	return append(b, m.Payload...)
}

func bodyFlags(m *Message, retain bool) byte {
	var f byte
	if retain {
		f |= bodyRetain
	}
	if m.QoS > 0 {
		f |= bodyQoS1
	}
	if m.Expires != 0 {
		f |= bodyExpires
	}
	p := m.Props
	if p == nil {
		return f
	}
	if p.HasPayloadFormat {
		f |= [2]byte{bodyFormatBytes, bodyFormatText}[p.PayloadFormat&1]
	}
	if p.ContentType != "" || p.ResponseTopic != "" {
		f |= bodyStrings
	}
	if p.CorrelationData != nil {
		f |= bodyCorrelation
	}
	if len(p.User) > 0 {
		f |= bodyUser
	}
	return f
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeBody reads a message into m, which is empty. Payload and correlation data alias body. It reports the RETAIN
// flag to hand out.
func decodeBody(body []byte, m *Message) (retain bool, err error) {
	if len(body) < 2 || body[0] != bodyFormat && body[0] != bodyFormatHops {
		return false, errBody
	}
	flags := body[1]
	r := bodyReader{b: body[2:]}
	if body[0] == bodyFormatHops {
		m.hops = r.byte()
	}
	m.Time = int64(r.uint64())
	m.QoS = flags & bodyQoS1 >> 1
	if flags&bodyExpires != 0 {
		m.Expires = int64(r.uint64())
	}
	m.Topic = string(r.text())
	if flags&^(bodyRetain|bodyQoS1|bodyExpires) != 0 {
		m.Props = r.props(flags)
	}
	m.Payload = r.b
	m.Retain = flags&bodyRetain != 0
	if r.bad || m.Topic == "" {
		return false, errBody
	}
	return m.Retain, nil
}

type bodyReader struct {
	b   []byte
	bad bool
}

func (r *bodyReader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *bodyReader) uint64() uint64 {
	if len(r.b) < 8 {
		r.b, r.bad = nil, true
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *bodyReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *bodyReader) text() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *bodyReader) props(flags byte) *Properties {
	p := &Properties{}
	if flags&(bodyFormatText|bodyFormatBytes) != 0 {
		p.HasPayloadFormat = true
		p.PayloadFormat = flags & bodyFormatText / bodyFormatText
	}
	if flags&bodyStrings != 0 {
		p.ContentType, p.ResponseTopic = string(r.text()), string(r.text())
	}
	if flags&bodyCorrelation != 0 {
		if p.CorrelationData = r.text(); p.CorrelationData == nil {
			p.CorrelationData = []byte{}
		}
	}
	if flags&bodyUser != 0 {
		n := r.uvarint()
		if n > uint64(len(r.b)) { // each pair takes at least two bytes
			r.bad = true
			return p
		}
		for range n {
			p.User = append(p.User, UserProperty{Key: string(r.text()), Value: string(r.text())})
		}
	}
	return p
}
