package topic

import "slices"

// set is the values of one pattern: a slice to append from, and once it is long an index into it, so that removal does not
// search. The zero value is empty. A set must not be copied once it holds a value: its list may live in itself.
type set[V comparable] struct {
	list  []V
	index map[V]int // position in list; nil while the list is short
	room  [1]V      // the list of a single value, as nearly all are, without an allocation
}

// maxScan is how many values are searched one by one.
const maxScan = 16

func (s *set[V]) len() int { return len(s.list) }

// find is the position of v, or -1.
func (s *set[V]) find(v V) int {
	if s.index == nil {
		return slices.Index(s.list, v)
	}
	if i, ok := s.index[v]; ok {
		return i
	}
	return -1
}

// add reports whether v is new.
func (s *set[V]) add(v V) bool {
	if s.find(v) >= 0 {
		return false
	}
	if s.list == nil {
		s.list = s.room[:0]
	}
	s.list = append(s.list, v)
	if len(s.list) == 2 {
		s.room = [1]V{} // the list has left; keep nothing alive
	}
	switch {
	case s.index != nil:
		s.index[v] = len(s.list) - 1
	case len(s.list) > maxScan:
		s.reindex()
	}
	return true
}

// remove puts the last value in v's place, and reports whether v was there.
func (s *set[V]) remove(v V) bool {
	i := s.find(v)
	if i < 0 {
		return false
	}
	var none V
	last := len(s.list) - 1
	moved := s.list[last]
	s.list[i], s.list[last] = moved, none
	s.list = s.list[:last]
	if s.index != nil {
		s.index[moved] = i
		delete(s.index, v)
	}
	s.shrink()
	return true
}

// shrink gives memory back once three quarters of it are unused. It costs no more than what was removed before it.
func (s *set[V]) shrink() {
	if cap(s.list) <= maxScan || len(s.list)*4 > cap(s.list) {
		return
	}
	s.list = append(make([]V, 0, 2*len(s.list)), s.list...)
	s.index = nil
	if len(s.list) > maxScan {
		s.reindex()
	}
}

func (s *set[V]) reindex() {
	s.index = make(map[V]int, len(s.list))
	for i, v := range s.list {
		s.index[v] = i
	}
}

// moveTo gives all values to an empty set.
func (s *set[V]) moveTo(to *set[V]) {
	*to = *s
	if cap(s.list) == 1 { // no list of one lives elsewhere
		to.list = to.room[:len(s.list)]
	}
	*s = set[V]{}
}
