// Package template knows what a Sigfox callback may say: the variables of each kind of callback, where in a request they
// may stand, and how they are escaped there.
//
// A template is text with placeholders as {device} and {customData#temp}; every other brace is text, for JSON bodies are
// full of them. Parse checks it when a callback is saved, Render fills it in when a message comes. What has no value
// becomes null. A value never leaves the place it was put in: not the quotes of a JSON text, not the part of a URL, not
// its header line.
//
// The variables are those of Sigfox's callback documentation; where it is silent about escaping and refusals, the choice
// is ours and said where it is made.
//
// It is knowledge only: no I/O, no clock, no goroutines. Templates are safe for concurrent use.
package template
