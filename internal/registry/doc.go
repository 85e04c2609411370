// Package registry knows things, their types and groups, certificates, the CAs of other people, policies and who is
// attached to whom. It answers one question on the hot path, "whose certificate is this?" (Identify), a second one for
// strangers, "does a CA that we know vouch for it?" (Introduce), and the operator's questions beside them.
//
// The store is the truth; the registry keeps no state of its own but a bounded cache of identities, which store.Watch
// keeps honest. Each change is one store.Commit, waited for, with conditions on the revisions that were read: of two
// concurrent creates one wins. What a condition cannot say (that a policy still exists while a certificate takes it) is
// guarded by a lock per name, which holds on one node; a clustered store needs a guard document instead.
//
// A thing's document names its groups, and a group's its ancestors and policies; whatever concerns one thing's membership
// is decided by one revision, and what a connection may do follows from a handful of documents whose changes it hears of.
//
// What became of things, types, groups and memberships it tells as AWS's registry events, after the commit and in the
// order of each resource's changes; who publishes them is not its business (Config.Events). Beside what it registers it
// keeps two settings, which events are told and what is logged, and follows both.
//
// The Authority is the private CA: one root, the server's certificates, and the signature under device certificates. Keys
// for devices are made ahead while the process is idle (Config.KeysAhead).
//
// It imports fault, policy and store. It knows neither HTTP nor MQTT, and it authorises nobody.
package registry
