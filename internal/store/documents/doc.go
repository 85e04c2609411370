// Package documents is what rooms that keep JSON documents in the store have in common: to read one as a value, to write
// one under a condition, and to hear of changes on a goroutine that may read and wait.
//
// It stands on the store's contract and knows no driver, and none of what the documents say.
package documents
