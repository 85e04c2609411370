package pebble

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say where the store is and how it behaves.
type Options struct {
	// Dir is the directory of the database. It is made if it is not there.
	Dir string

	// FS is the file system; nil is the disk.
	FS vfs.FS

	// Relaxed completes tickets when their batch is applied and on its way to the disk, without waiting for the sync
	// that follows at once. A power cut may cost the last few milliseconds; the order is kept.
	Relaxed bool

	// ReadOnly opens a directory that is there to look at it: nothing is written and commits are refused.
	ReadOnly bool

	// Locked says that the caller has the directory's lock (see Lock), for ReadOnly.
	Locked bool

	// Retry is how long a degraded store waits before it tries the disk for the first time; it waits longer from try to
	// try, up to 16 times that. 0 means 250 ms.
	Retry time.Duration

	// Log takes what the operator should know; nil is silence.
	Log *slog.Logger

	// Observe, if not nil, is told of each group of batches that became durable together: how many they were, and how
	// long it took from the moment when they were taken up. It is called once per group, on the goroutine that completes
	// tickets: it must be quick.
	Observe func(batches int, took time.Duration)
}

const defaultRetry = 250 * time.Millisecond

func (o Options) complete() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Retry == 0 {
		o.Retry = defaultRetry
	}
	return o
}

const (
	memTableBytes = 16 << 20 // small, because what is in memtables is replayed after a kill: 16 MB take some 30 ms
	cacheBytes    = 32 << 20
	flushDelay    = 2 * time.Second
)

// engine are pebble's options. What differs from its defaults has its reason here.
func (l *life) engine() *pebble.Options {
	o := &pebble.Options{
		// Pinned: a new pebble must not change the format on disk by itself.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		CacheSize:          cacheBytes,
		MemTableSize:       memTableBytes,
		// Four memtables absorb a burst while one is flushed; two (the default) stall the committer.
		MemTableStopWritesThreshold: 4,
		// Queues are written once, read once and deleted by range: most of it never has to leave L0, so compactions
		// begin late. The stop is far away, because stopping means that no PUBACK goes out.
		L0CompactionThreshold: 8,
		L0StopWritesThreshold: 64,
		LBaseMaxBytes:         64 << 20,
		MaxOpenFiles:          512,
		// What was deleted by range gives its room back once the deletion itself is in a table.
		FlushDelayDeleteRange: flushDelay,
		CompactionConcurrencyRange: func() (lower, upper int) {
			return 1, 2
		},
		Logger:        logger{l},
		EventListener: l.events(),
	}
	// Documents that are not there are asked for often (does this retained topic exist?); a filter answers from memory.
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// The default scheduler wakes up ten times a second for ever, to notice a higher limit a little earlier. An idle
	// store must cost nothing; a running compaction asks again when it ends, which is enough.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()
	// Compactions for reads' sake would rewrite queues that are about to be deleted.
	o.Experimental.ReadSamplingMultiplier = -1
	// Never nil: pebble would add a health check with a ticker per file.
	o.FS = l.guard
	o.ReadOnly = l.s.opts.ReadOnly
	return o
}
