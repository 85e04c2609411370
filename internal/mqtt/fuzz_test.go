package mqtt

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode: bytes become packets, packets become bytes, and those become the same packets, for both versions and
// both sides. Nothing panics, nothing is written that we would refuse to read.
func FuzzDecode(f *testing.F) {
	for _, c := range packetCases {
		f.Add(wire(f, c.wire))
	}
	for _, c := range malformedCases {
		f.Add(wire(f, c.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, n, err := Next(b, 0)
		if err != nil || n == 0 {
			return
		}
		for _, v := range []Version{V311, V5} {
			for _, from := range []Side{FromClient, FromServer} {
				roundTrip(t, frame, v, from)
			}
		}
	})
}

func roundTrip(t *testing.T, f Frame, v Version, from Side) {
	p, err := Decode(f, v, from)
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Fatalf("%v is not an *Error", err)
		}
		return
	}
	if c, ok := p.(*Connect); ok {
		v = c.Version
	}
	b := Append(nil, v, p)
	if pub, ok := p.(*Publish); ok && PublishSize(v, pub) != len(b) {
		t.Fatalf("PublishSize = %d for %d bytes", PublishSize(v, pub), len(b))
	}
	again, n, err := Next(b, len(b))
	if err != nil || n != len(b) {
		t.Fatalf("v%d %T: own bytes % X: %d, %v", v, p, b, n, err)
	}
	q, err := Decode(again, v, from)
	if err != nil {
		t.Fatalf("v%d %T: own bytes % X: %v", v, p, b, err)
	}
	if d := cmp.Diff(p, q, same); d != "" {
		t.Fatalf("v%d: came back different: %s", v, d)
	}
}

// FuzzNext: however the stream is cut, the same frames come out of it, and the same error at the same place.
func FuzzNext(f *testing.F) {
	var stream []byte
	for _, c := range packetCases {
		stream = append(stream, wire(f, c.wire)...)
	}
	f.Add(stream, uint(1))
	f.Add(append(stream, 0x36), uint(7))
	f.Add(raw(f, "C0 00 C0 80 00 40 82 00 00 01 30 FF FF FF FF"), uint(3))
	f.Add(raw(f, "C0 00 30 FF FF FF 7F 00 00"), uint(2))
	f.Fuzz(func(t *testing.T, b []byte, step uint) {
		const limit = 1 << 20
		whole, wantErr := split(t, b, len(b)+1, limit)
		parts, gotErr := split(t, b, int(step%16)+1, limit)
		if d := cmp.Diff(whole, parts, cmp.AllowUnexported(Frame{}), same); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(wantErr, gotErr); d != "" {
			t.Error(d)
		}
	})
}

// split cuts b into frames, when it arrives step bytes at a time.
func split(t *testing.T, b []byte, step, limit int) (frames []Frame, broken *Error) {
	start := 0
	for end := 0; end <= len(b); end += step {
		for {
			f, n, err := Next(b[start:end], limit)
			if err != nil {
				broken, _ = errors.AsType[*Error](err)
				return frames, broken
			}
			if need := Need(b[start:end]); n != 0 && n != need {
				t.Fatalf("Next took %d bytes, Need said %d", n, need)
			}
			if n == 0 {
				break
			}
			frames = append(frames, f)
			start += n
		}
		if end < len(b) && end+step > len(b) {
			end = len(b) - step
		}
	}
	return frames, nil
}
