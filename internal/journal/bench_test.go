package journal

import (
	"fmt"
	"testing"
	"time"
)

func sample() Entry {
	return Entry{
		EventType: PublishIn, ClientID: "lamp", PrincipalID: "c0ffee", SourceIP: "192.0.2.1", SourcePort: 4711, TopicName: "a/b",
		Reason: ReasonAuthorization, ReasonCode: 0x87, Packet: "PUBLISH", Cause: "no policy allows iot:Publish on topic/a/b",
	}
}

// Record must stay cheap enough for a hot path: a copy into a block that is there already.
func TestRecordDoesNotAllocate(t *testing.T) {
	j := &Journal{wake: make(chan struct{}, 1)}
	e := sample()
	e.Timestamp.Time = time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		j.Record(e)
		blocks, _ := j.intake.take()
		j.intake.giveBack(blocks)
	}); n != 0 {
		t.Errorf("Record allocates %v times", n)
	}
}

// BenchmarkRecord: 0 allocations in Record itself; what is reported beyond is the goroutine's.
func BenchmarkRecord(b *testing.B) {
	j := open(b, Options{Dir: b.TempDir()})
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		j.Record(e)
	}
}

func BenchmarkRecordParallel(b *testing.B) {
	j := open(b, Options{Dir: b.TempDir()})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := sample()
		for pb.Next() {
			j.Record(e)
		}
	})
}

// BenchmarkApply is what the goroutine does with an entry that is no repeat: clean, fill, keep, encode.
func BenchmarkApply(b *testing.B) {
	j := open(b, Options{Dir: b.TempDir()})
	topics := make([]string, 10_000)
	for i := range topics {
		topics[i] = fmt.Sprint("a/", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e := sample()
		e.Timestamp.Time = time.Now()
		e.TopicName = topics[i%len(topics)]
		i++
		j.mu.Lock()
		j.apply(&e)
		j.lines = j.lines[:0]
		j.mu.Unlock()
	}
}

// A storm of one denial costs the goroutine little, and no memory.
func TestRepeatDoesNotAllocate(t *testing.T) {
	j := open(t, Options{})
	e := sample()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.apply(new(e))
	if n := testing.AllocsPerRun(1000, func() { j.apply(&e) }); n != 0 {
		t.Errorf("a repeat allocates %v times", n)
	}
}

func BenchmarkRepeat(b *testing.B) {
	j := open(b, Options{})
	e := sample()
	j.mu.Lock()
	defer j.mu.Unlock()
	b.ReportAllocs()
	for b.Loop() {
		j.apply(&e)
	}
}

func BenchmarkQueryOneClient(b *testing.B) {
	j := open(b, Options{})
	for i := range 8192 {
		j.Record(Entry{EventType: Connect, ClientID: fmt.Sprint(i % 1000), TopicName: fmt.Sprint(i)})
		if i%1000 == 0 {
			j.Query(Query{Limit: 1})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		j.Query(Query{ClientID: "500"})
	}
}
