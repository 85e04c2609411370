// Package iam knows users, their access keys and inline policies, and the sessions that they take. It answers one
// question on the hot path, "whose signature is this?": Secret for whoever verifies, Identify for whoever decides.
//
// Verifying a signature needs the secret itself, not a hash of it. So secrets are kept sealed: AES-256-GCM under a key
// that stands in a file of its own (0600), outside the store. A copy of the store alone gives no secret away; whoever
// has both has all. A session is not kept at all: its token is sealed claims, good after a restart, until it expires or
// its user is gone. As on AWS, deleting the access key that took a session does not end it.
//
// The store is the truth. What is cached is forgotten before a change is acknowledged (store.Watch), and OnChange tells
// doors whom it concerns. Each change is one store.Commit under the revisions that were read.
//
// It imports fault, policy and store. It neither verifies signatures nor decides what their owners may do.
package iam
