// Package thingwiretest runs a whole Thingwire inside a Go test: the broker of AWS IoT Core with its policies and
// certificates, without an account, a network or a file that stays.
//
//	func TestLamp(t *testing.T) {
//		s := thingwiretest.Start(t)
//		lamp := s.NewThing(t, "lamp", s.ThingScoped())
//		conn, err := tls.Dial("tcp", s.Addr("mqtts"), lamp.TLSConfig())
//		…
//
// A server keeps everything in memory, listens on free ports of 127.0.0.1 and is stopped when its test is over; tests
// may run in parallel, and one test may start several. When a test fails, the server says in the test's log what it
// refused and why; Why answers the same to the test itself.
//
// What differs from `thingwire serve`: nothing survives the server, there is no admin socket for the command line, and the
// root and all keys are ECDSA P-256. For a client that needs a server certificate with RSA one is made at its first
// handshake, which takes some tenths of a second once; the root under it is ECDSA still, so a client that cannot verify
// ECDSA at all needs `thingwire serve`, whose root is RSA.
package thingwiretest
