// Package pebble is the embedded driver of the store: documents and queues in one pebble database.
//
// One goroutine writes, the committer. It takes everything that waits, checks the revisions, gives the sequence
// numbers, and applies it as one pebble batch; no timer holds it back, the group is whatever arrived meanwhile. Another
// goroutine, the completer, waits for the sync and finishes the tickets in order, while the committer already builds
// and applies the next group. Reads go past both, and show only what is durable.
//
// The disk decides when something is wrong: after the first error of a write the store is degraded. Tickets in flight
// and all later ones fail with fault.Unavailable, reads go on with what is durable, and nothing more is written, because
// after a failed fsync nobody knows what is on the disk but the disk. So the directory is opened anew beside the pebble
// that failed, as soon as the disk takes a probe (mend.go), and what the one life of the store leaves to the next is
// sorted (takeover.go). The process never panics or exits for an error of the disk. Damage is another matter: a store that
// cannot understand its own values stays degraded.
//
// keys.go and block.go are the layout on disk. Locks: Store.mu, queue.mu and Store.queues.mu are leaves, none is held while another one
// is taken or while pebble is called; pebble's callbacks may hold locks of pebble.
package pebble
