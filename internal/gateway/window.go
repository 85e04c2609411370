package gateway

// window is what was sent to a client and not acknowledged: packet ids and where their packets stand. Ids are given
// when a packet enters the window, never when it is queued, so a queue may be longer than 65,535.
type window struct {
	slots    []windowSlot // a power of two; the slot of an id is id modulo length
	last     uint16       // the id given last
	count    int
	bytes    int
	maxCount int
	maxBytes int
}

type windowSlot struct {
	block *block // nil: free
	entry int32
	id    uint16
}

// hasRoom reports whether a packet of size bytes may be sent. An empty window takes any.
func (w *window) hasRoom(size int) bool {
	return w.count == 0 || w.count < w.maxCount && w.bytes+size <= w.maxBytes
}

// give finds an id for an entry of a block.
func (w *window) give(b *block, entry int) uint16 {
	if 2*w.count >= len(w.slots) && len(w.slots) < 1<<16 {
		w.grow()
	}
	mask := uint16(len(w.slots) - 1)
	for {
		w.last++
		if w.last == 0 {
			continue
		}
		if s := &w.slots[w.last&mask]; s.block == nil {
			*s = windowSlot{block: b, entry: int32(entry), id: w.last}
			w.count++
			w.bytes += int(b.entries[entry].size)
			return w.last
		}
	}
}

func (w *window) grow() {
	old := w.slots
	w.slots = make([]windowSlot, max(16, 2*len(old)))
	mask := uint16(len(w.slots) - 1)
	for _, s := range old {
		if s.block != nil {
			w.slots[s.id&mask] = s
		}
	}
}

// peek gives what flies in the slot that comes k-th behind the newest one, nil if nothing does: from k 0 to the number of
// slots, the older ones come first, but for those that the ids have overtaken.
func (w *window) peek(k int) (uint16, *block, *qos1) {
	s := &w.slots[(int(w.last)+1+k)&(len(w.slots)-1)]
	if s.block == nil {
		return 0, nil, nil
	}
	return s.id, s.block, &s.block.entries[s.entry]
}

// take ends the flight of an id; false when it is not in flight.
func (w *window) take(id uint16) (b *block, entry *qos1, ok bool) {
	if len(w.slots) == 0 {
		return nil, nil, false
	}
	s := &w.slots[id&uint16(len(w.slots)-1)]
	if s.block == nil || s.id != id {
		return nil, nil, false
	}
	b = s.block
	entry = &b.entries[s.entry]
	*s = windowSlot{}
	w.count--
	w.bytes -= int(entry.size)
	return b, entry, true
}
