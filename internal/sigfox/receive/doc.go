// Package receive is where a real Sigfox backend, or any sender of the same callbacks, delivers to: receiving endpoints,
// each at a path and with a secret of its own. A request is decoded (query, form or JSON; the custom payload too), a message
// is rendered from it and published through Broker.Publish, and a BIDIR callback is answered with a downlink, or with 204.
//
// An endpoint is a document in the store (documents.go has the layout). All are compiled in memory, and replaced there when
// one changes. Of a secret the store has a hash.
//
// Who sends is nobody until the secret is compared, in constant time and whether or not there is such an endpoint. A
// message is published in the name of the endpoint, whose policy allows its own topics and nothing else: the broker
// decides. A 2xx is sent when what it promises is on disk.
//
// It knows nothing of the Sigfox backend beside it (sigfox/backend), and refuses that one's callbacks: see Config.Origin.
//
// Lock order: editing alone, which orders changes and is held over their commits.
package receive
