package broker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/mem"
)

// Check is content with what a broker has written, and names each thing that it could not work with.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := mem.New()
	b := openTest(t, s, OpenLimits())
	c, _ := connect(t, b, ConnectRequest{Caller: anybody("c"), Link: newLink(), Expiry: time.Hour})
	subscribe(t, c, SubscribeRequest{Filter: "x", QoS: 1})
	subscribe(t, c, SubscribeRequest{Filter: "$share/g/x", QoS: 1})
	if err := publishOne(b, anybody("p"), &Message{Topic: "x", Payload: []byte("1"), QoS: 1, Retain: true}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if problems, err := Check(t.Context(), s); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	for _, c := range []struct {
		harm *store.Batch
		want string
	}{
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketSessions, Key: "5/x", Value: []byte("{")}}}, `session "5/x" in the store is damaged`},
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketSubscriptions, Key: "0000000000000001/a/#/b", Value: []byte("{}")}}}, `subscription "0000000000000001/a/#/b"`},
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketWills, Key: "0000000000000001/0", Value: []byte("{}")}}}, `will "0000000000000001/0" in the store is damaged`},
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketGroups, Key: "g/y", Value: []byte("{}")}}}, `group "g/y"`},
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketRetained, Key: "y", Value: []byte("?")}}}, `retained message of "y" cannot be understood`},
		{&store.Batch{Docs: []store.DocOp{{Bucket: bucketRetained, Key: "z", Value: appendBody(nil, &Message{Topic: "y"}, true)}}}, `retained message of "z" names the topic "y"`},
		{&store.Batch{Appends: []store.Append{{Queues: []store.QueueID{7}, Body: []byte("?"), Seqs: make([]uint64, 1)}}}, "message 1 of queue 0000000000000007"},
	} {
		if err := s.Commit(c.harm).Wait(); err != nil {
			t.Fatal(err)
		}
		problems, err := Check(t.Context(), s)
		if err != nil || !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("want %q in %q, %v", c.want, problems, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
