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
// Lock order: records of a shard → holder shard (registry of sessions) → routing of a session → groups → group → session
// → outbox of a link. No lock is held while the store is read or waited for, nor while a socket is written; records and
// groups alone are held while a batch is handed to Commit, which does not wait. Callbacks of store tickets (Batch.Then) run on the
// store's completion goroutine, in commit order; they may take session and outbox locks and never wait.
package broker
