package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/thingwire/thingwire/internal/journal"
	"github.com/thingwire/thingwire/internal/store"
)

// TestWillSurvivesAPowerCut: CONNACK promises the will of a persistent session, on a disk as well.
func TestWillSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	b, s := openDisk(t, fs, "data")
	defer closeDisk(t, b, s)
	watcher, _ := connect(t, b, ConnectRequest{Caller: anybody("watcher"), Link: newLink(), Expiry: time.Hour})
	subscribe(t, watcher, SubscribeRequest{Filter: "will/+", QoS: 1})
	want := &Message{
		Topic: "will/lamp", Payload: []byte("gone"), QoS: 1, Retain: true, Expiry: 60,
		Props: &Properties{ContentType: "text/plain", User: []UserProperty{{"k", "v"}}},
	}
	connect(t, b, ConnectRequest{Caller: anybody("lamp"), Link: newLink(), Expiry: time.Hour, Will: want})

	left := fs.CrashClone(vfs.CrashCloneCfg{})
	b2, s2 := openDisk(t, left, "data")
	l := newLink()
	connect(t, b2, ConnectRequest{Caller: anybody("watcher"), Link: l, Expiry: time.Hour})
	b2.work.wg.Wait() // the drain
	if got := payloads(l.take()); got != "gone" {
		t.Errorf("after the power cut the watcher received %q", got)
	}
	var kept Message
	if found, err := b2.retained("will/lamp", &kept); err != nil || !found {
		t.Fatalf("the retained will: found %v, %v", found, err)
	}
	if diff := cmp.Diff(want.Props, kept.Props); diff != "" || kept.Expires == 0 {
		t.Errorf("the will has lost properties (-want +got), expires %d:\n%s", kept.Expires, diff)
	}
	closeDisk(t, b2, s2)

	// It has been published, and is not published again by the next start.
	b3, s3 := openDisk(t, left, "data")
	defer closeDisk(t, b3, s3)
	b3.work.wg.Wait()
	stats, err := s3.QueueStats(t.Context(), watcher.session.queue)
	if err != nil || stats.Last != 1 {
		t.Errorf("the watcher's queue had %d messages, want 1 (%v)", stats.Last, err)
	}
}

// A connection that a killed server could not record has an entry after the next start (EveryCloseHasACause).
func TestConnectionsOfAKilledServerHaveACause(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	b, s := openDisk(t, fs, "data")
	defer closeDisk(t, b, s)
	connect(t, b, ConnectRequest{Caller: anybody("lamp"), Link: newLink(), Expiry: time.Hour})
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("tidy"), Link: newLink(), Expiry: time.Hour})
	c.Close(Cause{Reason: ClientInitiated})
	if err := b.commit(&store.Batch{Docs: []store.DocOp{{Bucket: "test", Key: "a barrier behind the goodbye"}}}); err != nil {
		t.Fatal(err)
	}
	left := fs.CrashClone(vfs.CrashCloneCfg{})
	j, err := journal.Open(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b2, s2 := openDiskWith(t, left, "data", j)
	closeDisk(t, b2, s2)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	got := j.Query(journal.Query{})
	if len(got) != 1 || got[0].ClientID != "lamp" || got[0].DisconnectReason != string(ConnectionLost) || !strings.Contains(got[0].Cause, "without notice") {
		t.Errorf("the journal has %+v, want one entry about lamp", got)
	}
}

// A record of a version before versionNumber was kept is read; the number may skip, but never comes twice.
func TestSessionRecordWithoutVersion(t *testing.T) {
	t.Parallel()
	s, err := restoreSession(store.Doc{Key: "5/lamp", Value: []byte(`{"queue":7,"expirySeconds":3600,"left":12,"identifier":"i"}`)})
	if err != nil || s.version != 0 || s.queue != 7 || s.expiry != time.Hour || s.clientID != "lamp" {
		t.Errorf("%+v, %v", s, err)
	}
	if n := (&holder{stored: [2]*session{nil, s}}).least(); n != 1 {
		t.Errorf("the next connection may have number %d, want 1", n)
	}
}

func FuzzReadWill(f *testing.F) {
	w := will{message: &Message{Topic: "a/b", Payload: []byte("gone"), QoS: 1, Retain: true, Expiry: 9}, delay: time.Minute, key: "0000000000000001/0000000000000002"}
	op := w.record("cert", time.UnixMilli(1700000000000))
	f.Add(op.Key, op.Value)
	f.Add("x", []byte(`{}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		r, err := readWill(store.Doc{Key: key, Value: value})
		if err != nil {
			return
		}
		due := time.Time{}
		if r.due != 0 {
			due = time.UnixMilli(r.due)
		}
		op := r.record(r.principal, due)
		again, err := readWill(store.Doc{Key: op.Key, Value: op.Value})
		if err != nil {
			t.Fatal(err)
		}
		if again.message.Topic != r.message.Topic || again.message.Retain != r.message.Retain || again.due != r.due || again.principal != r.principal {
			t.Errorf("written and read again %+v became %+v", r, again)
		}
	})
}
