package device

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// loopback is a connection that reads from one buffer and writes to another.
type loopback struct {
	net.Conn

	in  io.Reader
	out bytes.Buffer
}

func (l *loopback) Read(p []byte) (int, error)  { return l.in.Read(p) }
func (l *loopback) Write(p []byte) (int, error) { return l.out.Write(p) }

func readAll(data []byte) ([]byte, *loopback, error) {
	l := &loopback{in: bytes.NewReader(data)}
	got, err := io.ReadAll(newSocket(l, bufio.NewReader(l.in)))
	return got, l, err
}

func TestSocketFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, want, err string
		sent                int
	}{
		{"a packet in pieces", "\x02\x01\x10\x80\x02ab", "\x10ab", "", 0},
		{"an empty frame", "\x82\x00\x82\x01a", "a", "", 0},
		{"a ping within a message", "\x02\x01a\x89\x01p\x80\x01b", "ab", "", 7},
		{"a pong", "\x8a\x00\x82\x01a", "a", "", 0},
		{"a close", "\x88\x02\x03\xe8\x82\x01a", "", "", 8},
		{"text", "\x81\x01a", "", "text frame", 0},
		{"masked", "\x82\x81\x00\x00\x00\x00a", "", "masked or extended", 0},
		{"an extension", "\xc2\x01a", "", "masked or extended", 0},
		{"a long ping", "\x89\x7e\x00\x7e", "", "too long", 0},
		{"a ping in pieces", "\x09\x01a", "", "too long", 0},
		{"an unknown kind", "\x83\x00", "", "frame of kind 3", 0},
		{"cut in a header", "\x82", "", "EOF", 0},
		{"cut in a frame", "\x82\x05ab", "ab", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, l, err := readAll([]byte(c.in))
			if string(got) != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || l.out.Len() != c.sent {
				t.Errorf("%q, %v, sent %d bytes", got, err, l.out.Len())
			}
		})
	}
}

// What is written does not change under its owner, and is masked.
func TestSocketWrite(t *testing.T) {
	t.Parallel()
	l := &loopback{in: strings.NewReader("")}
	s := newSocket(l, bufio.NewReader(l.in))
	payload := []byte("hello")
	if n, err := s.Write(payload); n != 5 || err != nil || string(payload) != "hello" {
		t.Errorf("%d, %v, %q", n, err, payload)
	}
	if frame := l.out.Bytes(); len(frame) != 11 || frame[0] != 0x82 || frame[1] != 0x85 {
		t.Errorf("% x", frame)
	}
	if err := errors.Join(s.sendClose(), s.sendClose()); err != nil {
		t.Error(err)
	}
	if _, err := s.Write(payload); !errors.Is(err, errGoodbye) {
		t.Errorf("after a close frame: %v", err)
	}
}

// A server may send anything: no panic, no end that is not there, and never more than it sent.
func FuzzSocket(f *testing.F) {
	for _, seed := range []string{"\x82\x01a", "\x02\x01\x10\x80\x02ab", "\x89\x01p", "\x88\x02\x03\xe8", "\x82\x7e\x00\x01a", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, l, _ := readAll(data)
		if len(got) > len(data) || l.out.Len() > 4*len(data)+8 {
			t.Errorf("%d bytes of %d, sent %d", len(got), len(data), l.out.Len())
		}
	})
}
