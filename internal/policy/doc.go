// Package policy reads AWS IoT and IAM policy documents, compiles them, decides requests, and says why.
//
// Parse turns the text of one document into a Document, compiled once and shared by everybody who holds it. Compile puts
// the documents of one principal together into a Set, which is small, immutable and safe for concurrent use. Set.Decide
// is the hot path: for resources without variables it allocates nothing. Set.Explain is for people: it names the statement
// that decided, or the nearest miss when none did.
//
// The package is knowledge only: no I/O, no goroutine, no clock. The time of a request is a field of Request. It may
// import fault and nothing else of ours.
package policy
