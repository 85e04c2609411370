package store

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
)

// Ticket is the promise of a Commit.
//
// It has no lock: whoever sees it done may reset the batch (and the ticket in it) at once, while the goroutine that
// completed it is still on its way out.
type Ticket struct {
	done atomic.Pointer[chan struct{}] // made by the first Done, replaced by closed
	err  error                         // written before done becomes closed
}

// closed is what a finished ticket shows; it is never written to.
var closed = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// Done is closed when the batch is durable or has failed.
func (t *Ticket) Done() <-chan struct{} {
	if c := t.done.Load(); c != nil {
		return *c
	}
	c := make(chan struct{})
	if t.done.CompareAndSwap(nil, &c) {
		return c
	}
	return *t.done.Load()
}

// Wait waits until the ticket is done and returns its error.
func (t *Ticket) Wait() error {
	<-t.Done()
	return t.err
}

// Ticket is the batch's own ticket, so that a commit allocates nothing. Drivers return it from Commit.
func (b *Batch) Ticket() *Ticket { return &b.ticket }

// Complete is for drivers: it runs Then and finishes the ticket. The driver does not touch the batch afterwards.
func (b *Batch) Complete(err error) {
	if b.Then != nil {
		b.Then(err)
	}
	b.ticket.err = err
	if c := b.ticket.done.Swap(closed); c != nil {
		close(*c)
	}
}

// NewQueueID takes an id at random; 64 bits make a second use as likely as a cosmic ray.
func NewQueueID() QueueID {
	var b [8]byte
	rand.Read(b[:]) // it never fails: it crashes the program instead
	return QueueID(binary.BigEndian.Uint64(b[:]))
}
