package gateway

import (
	"testing"

	"pgregory.net/rapid"
)

// TestWindow holds a window against a map: ids are unique, never 0, and lead to the entry they were given for.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window{maxCount: rapid.IntRange(1, 65535).Draw(t, "max"), maxBytes: 1 << 20}
		w.last = rapid.Uint16().Draw(t, "last") // anywhere on its way round
		model := map[uint16]*qos1{}
		var ids []uint16
		bytes := 0
		give := func(t *rapid.T) {
			b := &block{entries: []qos1{{size: uint32(rapid.IntRange(1, 1<<10).Draw(t, "size"))}}}
			if !w.hasRoom(int(b.entries[0].size)) {
				if len(model) == 0 || len(model) < w.maxCount && bytes+int(b.entries[0].size) <= w.maxBytes {
					t.Fatal("no room in a window that is not full")
				}
				return
			}
			id := w.give(b, 0)
			if id == 0 || model[id] != nil {
				t.Fatalf("id %d given twice, or 0", id)
			}
			model[id] = &b.entries[0]
			ids = append(ids, id)
			bytes += int(b.entries[0].size)
		}
		t.Repeat(map[string]func(*rapid.T){
			"give": give,
			"give many": func(t *rapid.T) {
				for range rapid.IntRange(1, 300).Draw(t, "n") {
					give(t)
				}
			},
			"take": func(t *rapid.T) {
				if len(ids) == 0 {
					return
				}
				i := rapid.IntRange(0, len(ids)-1).Draw(t, "i")
				id := ids[i]
				ids[i] = ids[len(ids)-1]
				ids = ids[:len(ids)-1]
				_, e, ok := w.take(id)
				if !ok || e != model[id] {
					t.Fatalf("id %d leads to another entry", id)
				}
				bytes -= int(e.size)
				delete(model, id)
			},
			"take what is not there": func(t *rapid.T) {
				id := rapid.Uint16().Draw(t, "id")
				if model[id] != nil {
					return
				}
				if _, _, ok := w.take(id); ok {
					t.Fatalf("id %d is not in flight", id)
				}
			},
			"": func(t *rapid.T) {
				if w.count != len(model) || w.bytes != bytes {
					t.Fatalf("%d in flight with %d bytes, want %d with %d", w.count, w.bytes, len(model), bytes)
				}
				found := 0
				for k := range w.slots {
					if id, _, e := w.peek(k); e != nil {
						found++
						if model[id] != e {
							t.Fatalf("peek finds id %d, which is not in flight", id)
						}
					}
				}
				if found != len(model) {
					t.Fatalf("peek finds %d of %d", found, len(model))
				}
			},
		})
	})
}

// TestWindowTakesOneAlways: a message larger than the window's bytes is sent when nothing else is in flight.
func TestWindowTakesOneAlways(t *testing.T) {
	w := window{maxCount: 10, maxBytes: 100}
	if !w.hasRoom(1000) {
		t.Error("a large message is never sent")
	}
	w.give(&block{entries: []qos1{{size: 1000}}}, 0)
	if w.hasRoom(1) {
		t.Error("room behind it")
	}
}
