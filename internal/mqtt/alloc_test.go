package mqtt

import (
	"maps"
	"slices"
	"testing"
)

// hotPublish is the message of the performance budget: a short topic, 256 bytes, QoS 1.
func hotPublish() *Publish {
	return &Publish{QoS: 1, PacketID: 7, Topic: []byte("plant/line-4/robot-17/temperature"), Payload: make([]byte, 256)}
}

// hotPublishProperties is the same with what an SDK may add.
func hotPublishProperties() *Publish {
	p := hotPublish()
	p.Props = PublishProperties{
		Has:         PropPayloadFormat | PropMessageExpiry | PropContentType,
		ContentType: []byte("application/json"), PayloadFormat: 1, MessageExpiry: 60,
		User: users("origin", "sensor", "unit", "celsius"),
	}
	return p
}

// hotPaths are the steps of each message. None of them may allocate.
func hotPaths() map[string]func() error {
	buf := make([]byte, 0, 4096)
	plain, rich := hotPublish(), hotPublishProperties()
	v3, v5, v5rich := AppendPublish(nil, V311, plain), AppendPublish(nil, V5, plain), AppendPublish(nil, V5, rich)
	puback := AppendPuback(nil, 7)
	var p Publish
	var a Ack
	next := func(b []byte) error {
		_, _, err := Next(b, 149_504)
		return err
	}
	decode := func(b []byte, v Version) error {
		f, _, _ := Next(b, 149_504)
		return DecodePublish(f, v, FromClient, &p)
	}
	return map[string]func() error{
		"Next":                   func() error { return next(v5) },
		"DecodePublish/v3":       func() error { return decode(v3, V311) },
		"DecodePublish/v5":       func() error { return decode(v5, V5) },
		"DecodePublish/v5-props": func() error { return decode(v5rich, V5) },
		"DecodeAck": func() error {
			f, _, _ := Next(puback, 149_504)
			return DecodeAck(f, V5, &a)
		},
		"AppendPublish/v3":       func() error { buf = AppendPublish(buf[:0], V311, plain); return nil },
		"AppendPublish/v5":       func() error { buf = AppendPublish(buf[:0], V5, plain); return nil },
		"AppendPublish/v5-props": func() error { buf = AppendPublish(buf[:0], V5, rich); return nil },
		"AppendPuback":           func() error { buf = AppendPuback(buf[:0], 7); return nil },
		"PublishSize":            func() error { _ = PublishSize(V5, rich); return nil },
		"PacketIDOffset":         func() error { _ = PacketIDOffset(v5); return nil },
		"MessageExpiryOffset":    func() error { _ = MessageExpiryOffset(v5); return nil },
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	for name, step := range hotPaths() {
		if err := step(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = step() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkHotPaths(b *testing.B) {
	steps := hotPaths()
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		step := steps[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := step(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
