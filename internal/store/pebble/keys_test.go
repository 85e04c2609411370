package pebble

import (
	"bytes"
	"testing"

	"github.com/thingwire/thingwire/internal/store"
)

func TestKeysKeepTheOrder(t *testing.T) {
	last := ^uint64(0)
	var before []byte
	for _, q := range []store.QueueID{0, 1, 255, 256, 1 << 40, store.QueueID(last)} {
		for _, seq := range []uint64{1, 2, 255, 256, 1 << 60, last} {
			key := entryKey(q, seq)
			if bytes.Compare(before, key) >= 0 {
				t.Errorf("%x is not behind %x", key, before)
			}
			if gotQ, gotSeq, ok := decodeEntryKey(key); !ok || gotQ != q || gotSeq != seq {
				t.Errorf("%x is read as %d %d", key, gotQ, gotSeq)
			}
			if bytes.Compare(key, entriesEnd(q)) >= 0 {
				t.Errorf("%x is behind the end of its queue", key)
			}
			before = key
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{
		{"d", "e"},
		{"da\xff", "db"},
		{"d\xff\xff", "e"},
		{"db\x00x", "db\x00y"},
	} {
		if got := string(prefixEnd([]byte(c.prefix))); got != c.want {
			t.Errorf("%q: got %q, want %q", c.prefix, got, c.want)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, e := range []entry{
		{},
		{bytesBefore: 1 << 50, sharedBefore: 300, body: []byte("body"), size: 4},
		{shared: true, id: 7, size: 1000, sharedBefore: 1},
		{shared: true, id: ^uint64(0), size: ^uint64(0), bytesBefore: ^uint64(0), sharedBefore: ^uint64(0)},
	} {
		v := append(appendEntryHead(nil, &e), e.body...)
		if len(v)-len(e.body) > maxEntryHead {
			t.Errorf("the head has %d bytes", len(v))
		}
		got, err := decodeEntry(v)
		if err != nil || !sameEntry(got, e) {
			t.Errorf("got %+v, %v, want %+v", got, err, e)
		}
	}
}

func sameEntry(a, b entry) bool {
	same := bytes.Equal(a.body, b.body)
	a.body, b.body = nil, nil
	return same && a.bytesBefore == b.bytesBefore && a.sharedBefore == b.sharedBefore && a.shared == b.shared && a.id == b.id && a.size == b.size
}

// FuzzKeys reads any bytes as each kind of key and value. Nothing may panic, and what is understood must be written
// back as something that is understood the same.
func FuzzKeys(f *testing.F) {
	f.Add(entryKey(1, 2), append(appendEntryHead(nil, &entry{bytesBefore: 5}), "body"...))
	f.Add(idKey(kindCursor, 9), cursor{1, 2, 1}.encode())
	f.Add(idKey(kindBody, 1), appendEntryHead(nil, &entry{shared: true, id: 3, size: 9}))
	f.Add(entryKey(1, 3), blockOf(mark{}, "one", "two", ""))
	f.Add(appendDocKey(nil, "b", "k"), append(appendDocHead(nil, 3), "v"...))
	f.Fuzz(func(t *testing.T, key, v []byte) {
		if q, seq, ok := decodeEntryKey(key); ok && !bytes.Equal(entryKey(q, seq), key) {
			t.Errorf("entry key %x", key)
		}
		if kind, id, ok := decodeIDKey(key); ok && !bytes.Equal(idKey(kind, id), key) {
			t.Errorf("key %x", key)
		}
		if e, err := decodeEntry(v); err == nil {
			again, err := decodeEntry(append(appendEntryHead(nil, &e), e.body...))
			if err != nil || !sameEntry(e, again) {
				t.Errorf("entry %x: %+v, then %+v, %v", v, e, again, err)
			}
		}
		fuzzBlock(t, key, v)
		if c, err := decodeCursor(v); err == nil {
			if again, err := decodeCursor(c.encode()); err != nil || again != c {
				t.Errorf("cursor %x", v)
			}
		}
		if rev, value, err := decodeDoc(v); err == nil {
			again, value2, err := decodeDoc(append(appendDocHead(nil, rev), value...))
			if err != nil || again != rev || !bytes.Equal(value, value2) {
				t.Errorf("document %x", v)
			}
		}
		_, _ = decodeNumber(v)
	})
}
