// Package store says what durable means in Thingwire: documents with revisions (Docs), ordered queues per session
// (Queues), and news between nodes (Bus).
//
// It is a contract. store/mem is the reference driver, store/pebble the embedded one, store/storetest the suite that
// each must pass. Callers rely on the order within a Batch, not on atomicity across documents and queues: a clustered
// driver may need two steps.
//
// It knows nothing of topics, packets or policies.
package store
