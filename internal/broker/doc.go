// Package broker is the middle of the corridor: it takes messages, decides who may send and who receives, keeps what
// was promised, and hands out.
//
// There is one door, Broker.Publish: MQTT, HTTPS, a Sigfox callback, a rule, a will and a presence event all come
// through it with a Caller and a Batch. Receivers are sessions; a live session has a Connection whose Link takes
// deliveries and never waits.
//
// The broker knows messages, not packets, and callers, not certificates: it imports neither mqtt nor registry, sees no
// socket, and starts no timer it does not stop.
//
// Lock order: holder shard (registry of sessions) → session → outbox of a link. No lock is held while the store is
// asked to commit, read or trim, nor while a socket is written. Callbacks of store tickets (Batch.Then) run on the
// store's completion goroutine, in commit order; they may take session and outbox locks and never wait.
package broker
