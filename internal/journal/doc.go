// Package journal remembers what happened to clients and why: connections and how they ended, denials, drops, throttles.
// An entry has the shape of AWS IoT's own logs (group AWSIotLogsV2) and more fields that say which packet, which
// statement, what to do.
//
// Record is for hot paths: it copies the entry into a bounded intake and returns. One goroutine makes entries of what
// it finds there: it takes secrets out, joins repeats, keeps the last entries in memory and writes lines to segment
// files. What the intake cannot hold is counted, and the count is an entry. Nothing is synced: a power cut may cost the
// last seconds, kill -9 nothing that was written.
//
// It knows words, not packets, sessions or policies, and imports fault alone.
//
// Lock order: state → intake. Files are written by the goroutine, with no lock held.
package journal
