package registry

import (
	"hash/maphash"
	"slices"
	"sync"
)

// nameLocks orders the operations of this node that concern the same names. An operation that changes a document holds
// its name exclusively; one that only relies on a document being there (a policy that is attached, a thing that a
// certificate is attached to) holds its name shared. It is held over the commit: a delete cannot slip between
// somebody's look at a document and the commit that refers to it.
type nameLocks struct {
	seed    maphash.Seed
	stripes [256]sync.RWMutex
}

func newNameLocks() *nameLocks { return &nameLocks{seed: maphash.MakeSeed()} }

// hold takes all locks in the order of their stripes, so that two operations never wait for each other in a circle.
func (l *nameLocks) hold(exclusive, shared []string) (release func()) {
	modes := map[int]bool{}
	for _, n := range shared {
		modes[l.stripe(n)] = false
	}
	for _, n := range exclusive {
		modes[l.stripe(n)] = true
	}
	order := make([]int, 0, len(modes))
	for i := range modes {
		order = append(order, i)
	}
	slices.Sort(order)
	for _, i := range order {
		if modes[i] {
			l.stripes[i].Lock()
		} else {
			l.stripes[i].RLock()
		}
	}
	return func() {
		for _, i := range slices.Backward(order) {
			if modes[i] {
				l.stripes[i].Unlock()
			} else {
				l.stripes[i].RUnlock()
			}
		}
	}
}

func (l *nameLocks) stripe(name string) int {
	return int(maphash.String(l.seed, name) % uint64(len(l.stripes)))
}

// The names that are locked: one space for all kinds.
func thingLock(name string) string     { return "thing/" + name }
func certificateLock(id string) string { return "cert/" + id }
func policyLock(name string) string    { return "policy/" + name }
func groupLock(name string) string     { return "thinggroup/" + name }
func billingLock(name string) string   { return billingGroupKind + "/" + name }
func typeLock(name string) string      { return "thingtype/" + name }
func caLock(id string) string          { return "cacert/" + id }
func subjectLock(key string) string    { return "subject/" + key }
