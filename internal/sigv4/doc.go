// Package sigv4 knows AWS Signature Version 4: it verifies signed requests, in the Authorization header and in the
// query, and signs them for the command line and the tests.
//
// A Verifier reads a request as it came over the wire. What a client signs is a canonical form of what it sends, and
// clients differ in how they make it, so a request that does not match as received is read again in the few other ways
// that real clients mean it: with the session token outside the signature (MQTT over WebSocket), with the Host header
// less or plus its port (presigned requests), with the query encoded strictly, with leading slashes joined. None of
// these changes what a door understands. What is never guessed is the secret, the method, the body and the time.
//
// The package is knowledge: no files, no goroutine; the clock and the secrets are handed in. It imports fault and
// nothing else of ours. Errors are fault.Unauthenticated around a ReasonError, with words that say what differs; they
// carry neither secrets nor tokens.
package sigv4
