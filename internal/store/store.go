package store

import (
	"context"
	"iter"
)

// Store is everything durable: documents, queues, and the bus that carries news of them.
type Store interface {
	Docs
	Queues
	Bus

	// Commit takes a whole batch and returns its ticket at once. It checks the revisions of the documents, applies
	// documents before appends, gives the appends their sequence numbers, and completes the ticket when all of it is
	// durable. A batch whose revision check fails changes nothing and completes with fault.Conflict. Batches become
	// durable in the order of the calls to Commit. The batch and all it points to belong to the store until the ticket
	// is done. After Close, and while the store is degraded, tickets complete with fault.Unavailable, which leaves open
	// whether the batch is there after a restart.
	Commit(b *Batch) *Ticket

	// Close completes or fails what is committing, and releases the files. It waits for the store's goroutines.
	Close() error
}

// Docs are documents with revisions in buckets.
type Docs interface {
	// Get reads the newest committed document; fault.NotFound if there is none. The value belongs to the caller.
	Get(ctx context.Context, bucket, key string) (Doc, error)

	// List walks the documents of a bucket whose key begins with prefix and is greater than after, in key order.
	// limit <= 0 means no limit. It sees the state at the moment when the loop begins; the loop may call the store. The
	// yielded values belong to the caller. An error is the last thing yielded.
	List(ctx context.Context, bucket, prefix, after string, limit int) iter.Seq2[Doc, error]

	// Watch calls fn for each change in bucket that becomes durable after the call, in commit order, on a goroutine of
	// the store, before the batch's Then; fn must not block and must not call back into the store. stop ends it: no call
	// begins after it, one that is under way ends in its own time.
	Watch(bucket string, fn func(Change)) (stop func())
}

// Doc is one document. Rev is at least 1 and grows by one with each change; a document that was deleted begins again at 1.
type Doc struct {
	Key   string
	Rev   uint64
	Value []byte
}

// Change is news of a document; a deleted one has a nil Value and the revision that it had. All who watch share the
// Value: read it, keep it, do not write to it.
type Change struct {
	Doc
	Deleted bool
}

// QueueID names a queue. Whoever makes a session takes a new one (NewQueueID) and keeps it in the session's document;
// ids are never used again, so what an old session left behind can never reach a new one.
type QueueID uint64

// Queues are ordered queues of messages, one per persistent session or shared group. A queue exists from its first
// append and is gone with DropQueues; an append that comes later (from a publisher who had not heard of it) makes an
// orphan, whose sequence numbers begin anywhere. QueueIDs finds orphans.
type Queues interface {
	// Read appends to dst the entries of q with sequence numbers greater than after (and than what was trimmed), in
	// order: at most limit of them, and no more once maxBytes of bodies were read (at least one if there is one). Only
	// durable entries are seen. Bodies belong to the caller.
	Read(ctx context.Context, q QueueID, after uint64, limit, maxBytes int, dst []Entry) ([]Entry, error)

	// Trim forgets all entries of q up to and including seq. It takes effect for reads at once and on disk a little
	// later (at most 100 ms or 1,000 trims): after a crash trimmed entries may come back.
	Trim(q QueueID, seq uint64)

	// QueueStats says what q holds. It costs at most a few reads, however long the queue is.
	QueueStats(ctx context.Context, q QueueID) (QueueStats, error)

	// QueueIDs lists all queues that hold or held entries and were not dropped, in the order of their numbers; at
	// start the owner of the sessions drops those that nobody owns.
	QueueIDs(ctx context.Context) iter.Seq2[QueueID, error]
}

// Entry is one message in a queue. Sequence numbers begin at 1, have no holes, and are never used twice in one queue,
// also after everything was trimmed and the store was reopened.
type Entry struct {
	Seq  uint64
	Body []byte
}

// QueueStats describes a queue: First is the oldest entry's sequence number (Last+1 when empty), Last the newest ever
// given (0 for a queue that never had an entry), Bytes the bodies' size (an estimate is allowed after a reopen).
type QueueStats struct {
	First, Last uint64
	Bytes       int64
}

// Bus carries news between nodes. News may be lost and is never durable; on one node it is a local loop.
type Bus interface {
	// Announce hands body to every listener of subject on every node, this one included. It does not wait.
	Announce(subject string, body []byte)

	// Listen calls fn for each announcement of subject, one at a time, on a goroutine of the store. Listeners share the
	// body: read it, keep it, do not write to it.
	Listen(subject string, fn func(body []byte)) (stop func())
}

// Batch is what one Commit makes durable together. The zero value is empty. A driver applies Puts and Deletes in the
// order of Docs (each condition sees the operations before it), then DropQueues, then Appends. Bucket names are not
// empty and have no NUL; a batch that breaks this completes with fault.Invalid.
type Batch struct {
	Docs       []DocOp
	DropQueues []QueueID
	Appends    []Append

	// Then, if not nil, is called once when the batch is durable or has failed, before the ticket is done, on the
	// store's completion goroutine: in commit order, one call at a time over the whole store. It must not block, nor
	// read from the store, nor reset the batch; it may Commit others. By then the Seqs of the appends are filled in (if
	// err is nil), and reads see what the batch did.
	Then func(err error)

	ticket Ticket
}

// DocOp writes or deletes one document.
type DocOp struct {
	Bucket, Key string
	Value       []byte // ignored when Delete
	Delete      bool   // deleting what is not there is no error unless If says so
	If          Condition
}

// Condition guards a DocOp. The zero value holds always.
type Condition struct {
	Absent bool   // holds when there is no such document
	Rev    uint64 // if not 0: holds when the document has this revision
}

// Append puts one body behind several queues. Seqs has the length of Queues and is filled in by the store before Then.
type Append struct {
	Queues []QueueID
	Body   []byte
	Seqs   []uint64
}

// Empty reports whether the batch has nothing to commit.
func (b *Batch) Empty() bool {
	return len(b.Docs) == 0 && len(b.Appends) == 0 && len(b.DropQueues) == 0
}

// Reset empties the batch for another use, keeping its memory. Its last ticket must be done.
func (b *Batch) Reset() {
	clear(b.Docs)
	clear(b.Appends)
	*b = Batch{Docs: b.Docs[:0], DropQueues: b.DropQueues[:0], Appends: b.Appends[:0]}
}
