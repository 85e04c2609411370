// Package delivery carries a callback that is rendered already to where it goes, once, and says what became of it in the
// words of the message list (Sigfox reference, section 6): over HTTP for the channels URL and BATCH_URL, and as a publish
// into the customer's AWS account for AWS_IOT (section 8.3).
//
// It neither renders nor retries nor keeps anything but connections and the credentials of assumed roles. A Request is
// what a customer configured, so it is not trusted: where it leads is looked at when the name is resolved (Guard), no
// redirect is followed, and of an answer no more than 64 KiB are read, in 10 seconds.
//
// What it hands out about a request (Sent) has no secrets: credentials in URLs and headers are masked, those of roles
// are never in it.
//
// Locks: each cached role has one, held for a few assignments and never while a socket is used.
package delivery
