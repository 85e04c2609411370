package storetest

import (
	"context"
	"fmt"
	"testing"
)

// keys lists the keys of a bucket.
func (h *harness) keys(bucket, prefix, after string, limit int) []string {
	h.t.Helper()
	var keys []string
	for d, err := range h.List(context.Background(), bucket, prefix, after, limit) {
		if err != nil {
			h.t.Fatalf("list: %v", err)
		}
		keys = append(keys, d.Key)
	}
	return keys
}

var listTests = []test{
	{"prefix, after and limit", func(t *testing.T, h *harness) {
		for _, key := range []string{"b/1", "a", "b", "b/2", "b\xff", "b\xff\xff", "c", "b/10"} {
			h.must(doc(put("list", key, key), put("lis", key, "no"), put("list2", key, "no")))
		}
		for _, c := range []struct {
			prefix, after string
			limit         int
			want          []string
		}{
			{"", "", 0, []string{"a", "b", "b/1", "b/10", "b/2", "b\xff", "b\xff\xff", "c"}},
			{"", "", -1, []string{"a", "b", "b/1", "b/10", "b/2", "b\xff", "b\xff\xff", "c"}},
			{"", "", 2, []string{"a", "b"}},
			{"", "b/10", 2, []string{"b/2", "b\xff"}},
			{"", "b/11", 1, []string{"b/2"}},
			{"b/", "", 0, []string{"b/1", "b/10", "b/2"}},
			{"b/", "b/1", 0, []string{"b/10", "b/2"}},
			{"b/", "b/2", 0, nil},
			{"b/", "a", 0, []string{"b/1", "b/10", "b/2"}},
			{"b/", "c", 0, nil},
			{"b\xff", "", 0, []string{"b\xff", "b\xff\xff"}},
			{"b\xff\xff", "", 0, []string{"b\xff\xff"}},
			{"d", "", 0, nil},
			{"a", "a", 0, nil},
		} {
			t.Run(fmt.Sprintf("%q after %q limit %d", c.prefix, c.after, c.limit), func(t *testing.T) {
				wantEqual(t, h.keys("list", c.prefix, c.after, c.limit), c.want)
			})
		}
		wantEqual(t, h.keys("nothing", "", "", 0), nil)
	}},
	{"pages", func(t *testing.T, h *harness) {
		for i := range 25 {
			h.must(doc(put("b", fmt.Sprintf("k%02d", i), "")))
		}
		var all []string
		for after := ""; ; after = all[len(all)-1] {
			page := h.keys("b", "k", after, 7)
			if len(page) == 0 {
				break
			}
			all = append(all, page...)
		}
		wantEqual(t, all, h.keys("b", "", "", 0))
		if len(all) != 25 {
			t.Fatalf("%d keys", len(all))
		}
	}},
	{"revisions and values come along", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "k", "1"), put("b", "k", "2")))
		for d, err := range h.List(context.Background(), "b", "", "", 0) {
			if err != nil || d.Key != "k" || d.Rev != 2 || string(d.Value) != "2" {
				t.Fatalf("got %+v, %v", d, err)
			}
		}
	}},
	{"the loop may call the store and sees the state of its beginning", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "1", "old"), put("b", "2", "old"), put("b", "3", "old")))
		var seen []string
		for d, err := range h.List(context.Background(), "b", "", "", 0) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, d.Key+string(d.Value))
			h.must(doc(put("b", "2", "new"), remove("3"), put("b", "4", "new")))
			h.wantDoc("b", "3", 0, "")
		}
		wantEqual(t, seen, []string{"1old", "2old", "3old"})
		wantEqual(t, h.keys("b", "", "", 0), []string{"1", "2", "4"})
	}},
	{"a loop may end early", func(t *testing.T, h *harness) {
		h.must(doc(put("b", "1", ""), put("b", "2", "")))
		for _, err := range h.List(context.Background(), "b", "", "", 0) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		n := 0
		var last error
		for _, err := range h.List(ctx, "b", "", "", 0) {
			n, last = n+1, err
			cancel()
		}
		if n != 2 || last == nil {
			t.Fatalf("%d steps after cancel, last error %v", n, last)
		}
	}},
}
