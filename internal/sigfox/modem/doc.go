// Package modem is a Sigfox modem without a radio: it reads the AT commands of the TD1208 and Telit LE51 family, as they sit
// on the SmartEverything board, and answers as those do, in their time.
//
// An Interpreter turns bytes of a serial line, in whatever pieces they come, into commands; it is a state machine
// without I/O or clock. A Modem carries commands out through a Radio and answers on the line, which may be a TCP connection, a
// pseudo-terminal, or anything else that reads and writes. A Sketch is the program of Sigfox's AWS how-to, byte by byte,
// with its missing zero padding or without, and Diagnose says in words what that does to a reading.
//
// It imports nothing of ours. A Modem may serve several lines at once; like the hardware it sends one frame after
// the other.
package modem
