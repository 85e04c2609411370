// Package iam knows users, their access keys and inline policies, roles with their trust policies, and the sessions that
// are taken of both. It answers one question on the hot path, "whose signature is this?": Secret for whoever verifies,
// Identify for whoever decides.
//
// Verifying a signature needs the secret itself, not a hash of it. So secrets are kept sealed: AES-256-GCM under a key
// that stands in a file of its own (0600), outside the store. A copy of the store alone gives no secret away; whoever
// has both has all. A session is not kept at all: its token is sealed claims, good after a restart, until it expires or
// its user or role is gone. As on AWS, deleting the access key that took a session does not end it.
//
// The store is the truth. What is cached is forgotten before a change is acknowledged (store.Watch), and OnChange tells
// doors whom it concerns. Each change is one store.Commit under the revisions that were read; Changes are several of roles
// and users in one commit, which may hold documents of the caller's, too.
//
// It imports fault, policy and store. It neither verifies signatures nor decides what their owners may do, but for one
// thing: who may assume a role, which its trust policy decides together with the caller's own policies.
package iam
