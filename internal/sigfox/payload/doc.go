// Package payload knows Sigfox's custom payload configuration: the small grammar with which a device type or a callback
// says how the 0 to 12 bytes of a frame are cut into named fields, as in "temp::float:32 door::bool:7".
//
// Parse turns a configuration into fields at fixed places, Decode reads their values out of a frame, Lint says what of a
// configuration is probably not meant, and Explain why a frame has no value where one was expected.
//
// The grammar is Sigfox's ("Custom payload decoding grammar" of its callback documentation). Where that is silent, the
// choice is ours and said where it is made.
//
// It is knowledge only: no I/O, no clock, no goroutines. It imports nothing of ours but fault.
package payload
