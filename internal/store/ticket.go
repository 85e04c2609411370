package store

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// Ticket is the promise of a Commit.
type Ticket struct {
	mu   sync.Mutex
	done chan struct{} // made by the first Done
	over bool
	err  error
}

// Done is closed when the batch is durable or has failed.
func (t *Ticket) Done() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil {
		t.done = make(chan struct{})
		if t.over {
			close(t.done)
		}
	}
	return t.done
}

// Wait waits until the ticket is done and returns its error.
func (t *Ticket) Wait() error {
	<-t.Done()
	return t.err
}

// Ticket is the batch's own ticket, so that a commit allocates nothing. Drivers return it from Commit.
func (b *Batch) Ticket() *Ticket { return &b.ticket }

// Complete is for drivers: it runs Then and finishes the ticket.
func (b *Batch) Complete(err error) {
	if b.Then != nil {
		b.Then(err)
	}
	t := &b.ticket
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err, t.over = err, true
	if t.done != nil {
		close(t.done)
	}
}

// NewQueueID takes an id at random; 64 bits make a second use as likely as a cosmic ray.
func NewQueueID() QueueID {
	var b [8]byte
	rand.Read(b[:]) //nolint:errcheck // crypto/rand.Read never fails (it crashes the program instead)
	return QueueID(binary.BigEndian.Uint64(b[:]))
}
