package backend

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Each kind of damage is named, and by the document that has it.
func TestCheckNamesDamage(t *testing.T) {
	put := func(bucket, key, value string) store.DocOp {
		return store.DocOp{Bucket: bucket, Key: key, Value: []byte(value)}
	}
	for name, row := range map[string]struct {
		damage func(w *world) store.DocOp
		want   string
	}{
		"format":      {func(*world) store.DocOp { return put(metaBucket, formatKey, "9") }, `format "9"`},
		"not JSON":    {func(w *world) store.DocOp { return put(deviceTypesBucket, w.kind.ID, "{") }, "cannot be read"},
		"another key": {func(w *world) store.DocOp { return documents.Put(deviceTypesBucket, "x", w.kind, always) }, `belongs under "` + `%TYPE%`},
		"type": {func(w *world) store.DocOp {
			k := *w.kind
			k.KeepAlive = 1
			return documents.Put(deviceTypesBucket, k.ID, k, always)
		}, "the keep-alive is 1"},
		"name":              {func(w *world) store.DocOp { return documents.Remove(typeNamesBucket, "type", always) }, "is not in sigfox/type-names"},
		"stray name":        {func(*world) store.DocOp { return put(typeNamesBucket, "other", `"x"`) }, `has "other"`},
		"device of nothing": {func(*world) store.DocOp { return put(devicesBucket, "00000001", `{"id":"1","deviceTypeId":"none"}`) }, `device type "none"`},
		"member":            {func(w *world) store.DocOp { return documents.Remove(typeDevicesBucket, w.kind.ID+"/004D3091", always) }, "is not in sigfox/type-devices"},
		"stray member":      {func(w *world) store.DocOp { return documents.Mark(typeDevicesBucket, w.kind.ID+"/00000001") }, "which is not so"},
		"callback": {func(w *world) store.DocOp {
			c := good(w.kind.ID)
			c.ID, c.Topic = "c", "#"
			return documents.Put(callbacksBucket, c.key(), c, always)
		}, `callback "c" cannot be used`},
		"draft": {func(*world) store.DocOp { return put(draftsBucket, "none/d", `{"id":"d","deviceTypeId":"none"}`) }, `device type "none"`},
		"message": {func(*world) store.DocOp {
			return documents.Put(messagesBucket, messageKey("9", 1), Message{Device: "9", Number: 1}, always)
		}, "no such device"},
		"message's place": {func(*world) store.DocOp {
			return documents.Put(messagesBucket, messageKey(dev, 1), Message{Device: dev, Number: 2}, always)
		}, "belongs under"},
		"life":     {func(*world) store.DocOp { return put(livesBucket, "00000009", "{}") }, "no such device"},
		"queued":   {func(*world) store.DocOp { return put(livesBucket, "004D3091", `{"queued":{"data":"00"}}`) }, "is not 8 bytes"},
		"result":   {func(*world) store.DocOp { return put(resultsBucket, messageKey(dev, 1)+"/a", `{"callback":"b"}`) }, "belongs under"},
		"downlink": {func(*world) store.DocOp { return put(downlinksBucket, messageKey(dev, 1), `{"infoCode":99}`) }, "info code"},
		"debt":     {func(*world) store.DocOp { return put(dueBucket, "c/soon/x", "{}") }, "whose time cannot be read"},
		"debt's place": {func(*world) store.DocOp {
			return documents.Put(dueBucket, dueKey("c", time.Now(), dev, 1), debt{Device: dev, Number: 2}, always)
		}, "belongs under"},
		"timer":       {func(*world) store.DocOp { return documents.Mark(timersBucket, "now/settle/x") }, "cannot be read"},
		"undelivered": {func(*world) store.DocOp { return put(undeliveredBucket, "t/1", `{"deviceTypeId":"t"}`) }, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			defer func() { w.must(w.store.Close()) }()
			w.Close()
			if problems, err := Check(t.Context(), w.store); err != nil || len(problems) > 0 {
				t.Fatalf("before: %q, %v", problems, err)
			}
			w.must(documents.Commit(w.store, row.damage(w)))
			want := strings.ReplaceAll(row.want, "%TYPE%", w.kind.ID)
			problems, err := Check(t.Context(), w.store)
			if err != nil || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
				t.Errorf("%q, %v: nothing about %q", problems, err, want)
			}
		})
	}
}

// What cannot be read stands in nobody's way: a damaged debt and a callback that cannot be compiled any more are left where
// they are, and the rest goes on.
func TestDamageStopsNothing(t *testing.T) {
	bubble(t, Config{}, func(w *world) {
		c := w.callback(Callback{Body: "{seqNumber}"})
		w.Close()
		broken := good(w.kind.ID)
		broken.ID, broken.Topic = "broken", "#"
		w.must(documents.Commit(w.store,
			documents.Put(callbacksBucket, broken.key(), broken, always),
			store.DocOp{Bucket: dueBucket, Key: c.ID + "/0000000000000001/x/0", Value: []byte("{")},
			store.DocOp{Bucket: dueBucket, Key: "soon", Value: []byte("{")},
			documents.Mark(timersBucket, "0000000000000001/what/x"),
		))
		w.open()
		w.want("arrow", w.show(w.uplink("")).Arrow, Green)
		w.want("requests", w.requests(), "0s 0")
		w.want("timers", w.docs(timersBucket), 0)
		w.must(documents.Commit(w.store, // or else the end of the test finds them
			documents.Remove(callbacksBucket, broken.key(), always),
			documents.Remove(dueBucket, c.ID+"/0000000000000001/x/0", always), documents.Remove(dueBucket, "soon", always),
		))
	})
}

func TestANewerFormatIsRefused(t *testing.T) {
	w := newWorld(t, Config{})
	w.Close()
	w.must(documents.Commit(w.store, store.DocOp{Bucket: metaBucket, Key: formatKey, Value: []byte("2")}))
	if _, err := Open(t.Context(), w.cfg); !fault.Is(err, fault.Unsupported) {
		t.Errorf("got %v", err)
	}
	w.must(w.store.Close())
}
