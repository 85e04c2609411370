// Package topic knows topic names and filters the way AWS IoT Core reads them: their syntax and limits, shared
// subscriptions, the reserved names under $aws, which filter matches which name, and the subscription tree that answers
// that question for a million filters at once.
//
// It differs from the MQTT specification where AWS does: a/# matches a/ and all below it, but not a itself.
//
// It is knowledge only: no I/O, no clock, no goroutines. It imports nothing of ours but fault. Of the tree, only Tree is
// safe for concurrent use; its lock order is short: a call holds at most one shard's lock at a time.
package topic
