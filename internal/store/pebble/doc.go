// Package pebble is the embedded driver of the store: documents and queues in one pebble database.
//
// One goroutine writes, the committer. It takes everything that waits, checks the revisions, gives the sequence
// numbers, and applies it as one pebble batch; no timer holds it back, the group is whatever arrived meanwhile. Another
// goroutine, the completer, waits for the sync and finishes the tickets in order, while the committer already builds
// and applies the next group. Reads go past both, and show only what is durable.
//
// The disk decides when something is wrong: after the first error of a write the store is degraded. Tickets in flight
// and all later ones fail with fault.Unavailable, reads go on with what is durable, nothing is retried. Only opening the
// directory again ends it, because after a failed fsync nobody knows what is on the disk but the disk. The process never
// panics or exits for it.
//
// keys.go is the layout on disk. Locks: Store.mu, queue.mu and Store.queues.mu are leaves, none is held while another one
// is taken or while pebble is called; pebble's callbacks may hold locks of pebble.
package pebble
