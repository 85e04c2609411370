// Package backend is the Sigfox backend: device types, devices, callbacks, the list of messages with what became of each
// of their callbacks, retries, downlinks and acknowledgements.
//
// State is documents in the store (documents.go has the layout); what is configured is compiled once and forgotten when
// its document changes. An uplink is one commit: the message, the device's counters, and a document per delivery that it
// owes. Only then is it answered, and only then delivered. What a delivery came to is one commit again, which also takes
// its debt away or moves it to the time of its retry. So a kill -9 at any moment loses nothing: a delivery may come twice,
// as retries may anyway (Sigfox reference, section 6).
//
// Debts are kept per callback in the order of their times (bucket sigfox/due). A lane per callback reads them in pages,
// when they are due, and has a bounded number of deliveries under way: a callback that hangs delays its own and nobody
// else's, and what waits is on disk, not in memory. A new message is delivered at once, from memory, while its lane has
// room.
//
// The backend sends nothing itself: a Sender does (sigfox/delivery). It knows no HTTP and no MQTT.
//
// Lock order: editing → device → lane → lanes. No lock is held while a Sender is called or a commit is waited for, but editing,
// which orders changes of what is configured.
package backend
