// Package gateway is the device door: sockets, TLS with its ALPN names, the MQTT state machine of each connection, and
// the first look that tells MQTT from HTTP.
//
// It authenticates: a client certificate is looked up by its SHA-256 fingerprint. It does not authorise and does not
// touch the store: the broker does both. It translates kinds of error to MQTT reason codes in one place (errors.go).
//
// A connection has one goroutine that reads. A second one writes, only while there is something to write; whoever
// holds the outbox's writing flag touches the socket, everyone else appends. Locks: inbox.mu (what was read and is
// being committed) before outbox.mu; broker locks are taken under inbox.mu, never under outbox.mu.
package gateway
