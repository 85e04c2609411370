// Package dataplane is the HTTPS door of messages: the data plane of AWS IoT Core (service iot-data) in its own wire form
// (rest-json), answered from the broker.
//
// It decodes a request, asks the broker, which authorises the caller, and encodes the answer. A publish walks through
// Broker.Publish like any other; its 200 is sent when the batch is durable. Like every handler behind a door it does not
// authenticate: whoever owns the socket puts an awsapi.Caller into the request's context, and a request without one is
// refused.
//
// Routing is on the path as it came: topics hold slashes, escaped or not, twice or at their ends, and are decoded once.
// Every answer has a request id, which is in the body as traceId and, of a refusal, in the journal.
//
// It sees no packets and no sockets, and keeps nothing but memory that is used again.
package dataplane
