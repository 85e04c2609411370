package storetest

import (
	"testing"
)

var busTests = []test{
	{"every listener of a subject, in order", func(t *testing.T, h *harness) {
		const n = 100
		one, two := make(chan string, n), make(chan string, n)
		defer h.Listen("s", func(body []byte) { one <- string(body) })()
		defer h.Listen("s", func(body []byte) { two <- string(body) })()
		defer h.Listen("other", func(body []byte) { t.Errorf("the other one got %q", body) })()
		body := []byte("x")
		for i := range n {
			body = append(body[:0], entryBody(i)...)
			h.Announce("s", body)
		}
		for i := range n {
			for _, c := range []chan string{one, two} {
				if got := <-c; got != entryBody(i) {
					t.Fatalf("got %q, want %q", got, entryBody(i))
				}
			}
		}
	}},
	{"nobody listens", func(_ *testing.T, h *harness) { h.Announce("s", []byte("x")) }},
	{"an end", func(t *testing.T, h *harness) {
		one, two := make(chan string, 4), make(chan string, 4)
		stop := h.Listen("s", func(body []byte) { one <- string(body) })
		defer h.Listen("s", func(body []byte) { two <- string(body) })()
		h.Announce("s", []byte("1"))
		<-one
		stop()
		stop()
		h.Announce("s", []byte("2"))
		if a, b := <-two, <-two; a != "1" || b != "2" {
			t.Fatalf("got %q, %q", a, b)
		}
		if len(one) > 0 {
			t.Fatal("heard something after stop")
		}
	}},
	{"a listener that waits keeps nobody", func(_ *testing.T, h *harness) {
		release, heard := make(chan struct{}), make(chan string, 1)
		defer h.Listen("slow", func([]byte) { <-release })()
		defer h.Listen("s", func(body []byte) { heard <- string(body) })()
		h.Announce("slow", nil)
		h.Announce("slow", nil)
		h.Announce("s", []byte("x"))
		<-heard
		h.must(doc(put("b", "k", "v")))
		close(release)
	}},
}
