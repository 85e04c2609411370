package broker

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var bodies = map[string]*Message{
	"plain":         {Topic: "a/b", Payload: []byte("hi"), Time: 1},
	"empty payload": {Topic: "a", Payload: []byte{}, QoS: 1, Time: 1 << 40},
	"expires":       {Topic: "a", Payload: []byte("x"), Expires: 1700000000000},
	"empty props":   {Topic: "a", Payload: []byte("x"), Props: nil},
	"format bytes":  {Topic: "a", Payload: []byte("x"), Props: &Properties{HasPayloadFormat: true}},
	"format text":   {Topic: "a", Payload: []byte("x"), Props: &Properties{HasPayloadFormat: true, PayloadFormat: 1}},
	"content type":  {Topic: "a", Payload: []byte("x"), Props: &Properties{ContentType: "text/plain"}},
	"response":      {Topic: "a", Payload: []byte("x"), Props: &Properties{ResponseTopic: "r/1"}},
	"correlation":   {Topic: "a", Payload: []byte("x"), Props: &Properties{CorrelationData: []byte{0, 1, 2}}},
	"no bytes of correlation": {
		Topic: "a", Payload: []byte("x"), Props: &Properties{CorrelationData: []byte{}},
	},
	"user": {Topic: "a", Payload: []byte("x"), Props: &Properties{User: []UserProperty{{"k", "v"}, {"k", ""}, {"", "v"}}}},
	"hops": {Topic: "a", Payload: []byte("x"), Time: 1, hops: 3},
	"all": {
		Topic: "a/b/c", Payload: bytes.Repeat([]byte("payload "), 100), QoS: 1, Time: 1700000000123, Expires: 1700000060123,
		Props: &Properties{
			HasPayloadFormat: true, PayloadFormat: 1, ContentType: "c", ResponseTopic: "r", CorrelationData: []byte("d"),
			User: []UserProperty{{"a", "1"}, {"a", "2"}},
		},
		hops: 8,
	},
}

// sameMessage compares what a body keeps of a message.
var sameMessage = cmp.Options{cmpopts.IgnoreUnexported(Message{}), cmpopts.IgnoreFields(Message{}, "ID", "Expiry", "Retain")}

func TestBodyKeepsTheMessage(t *testing.T) {
	t.Parallel()
	for name, want := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, retain := range []bool{false, true} {
				var got Message
				gotRetain, err := decodeBody(appendBody(nil, want, retain), &got)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, &got, sameMessage); diff != "" {
					t.Errorf("the body changed the message (-want +got):\n%s", diff)
				}
				if got.hops != want.hops {
					t.Errorf("%d hops became %d", want.hops, got.hops)
				}
				if gotRetain != retain || got.Retain != retain {
					t.Errorf("RETAIN %v became %v", retain, gotRetain)
				}
			}
		})
	}
}

// What a body is cut short of is noticed, except in the payload, which has no length of its own.
func TestBodyCutShortIsDamaged(t *testing.T) {
	t.Parallel()
	for name, m := range bodies {
		b := appendBody(nil, m, false)
		for n := range len(b) - len(m.Payload) {
			if _, err := decodeBody(b[:n], &Message{}); err == nil {
				t.Errorf("%s: %d of %d bytes decode", name, n, len(b))
			}
		}
	}
}

// Bodies of format 1, which stores have from 0.1.0 on, are read as they always were, and a message without a cause is
// still written so.
func TestBodyOfFormat1(t *testing.T) {
	t.Parallel()
	old := []byte("\x01\x02\x00\x00\x01\x8b\xcf\xe5\x68\x00\x03a/bhello")
	var m Message
	if _, err := decodeBody(old, &m); err != nil {
		t.Fatal(err)
	}
	if m.Topic != "a/b" || string(m.Payload) != "hello" || m.QoS != 1 || m.Time != 1700000000000 || m.hops != 0 {
		t.Errorf("read %+v", &m)
	}
	if again := appendBody(nil, &m, false); !bytes.Equal(again, old) {
		t.Errorf("written again: %x", again)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, m := range bodies {
		f.Add(appendBody(nil, m, true))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var m Message
		retain, err := decodeBody(body, &m)
		if err != nil {
			return
		}
		if m.Props != nil && cmp.Equal(*m.Props, Properties{}, cmpopts.EquateEmpty()) {
			m.Props = nil // flags that announced what turned out to be empty
		}
		// What decodes is a message: written and read again it is the same one.
		var again Message
		retainAgain, err := decodeBody(appendBody(nil, &m, retain), &again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&m, &again, sameMessage, cmpopts.EquateEmpty()); diff != "" || retain != retainAgain || m.hops != again.hops {
			t.Errorf("written and read again it differs:\n%s", diff)
		}
	})
}
