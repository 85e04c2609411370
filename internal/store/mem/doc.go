// Package mem is the reference driver of the store: everything in maps, nothing on disk.
//
// It is what tests stand on. It makes goroutines only while there is something to complete, uses nothing but channels
// and sync.Cond to wait, and so lives in a testing/synctest bubble (make it inside the bubble). Hold, Release and Fail
// let a test decide when, and whether, something becomes durable.
//
// "Durable" here means completed: nothing of a batch can be read before it is about to complete. One lock guards all;
// it is never held while a ticket, a watcher or a listener is told.
package mem
