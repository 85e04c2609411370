package broker

// handOut is the scratch memory of whoever hands out: the deliveries of the run in the variants that receivers ask
// for, and the links that are to be flushed.
type handOut struct {
	messages []Message
	sets     [8][]Delivery
	built    [8]bool
	one      [1]Delivery
	touched  []Link
	slow     []Link
}

func (h *handOut) begin() {
	clear(h.slow)
	h.slow = h.slow[:0]
}

// run starts a run of messages.
func (h *handOut) run(ms []Message) {
	h.messages = ms
	h.built = [8]bool{}
}

// pick gives the deliveries of the run for a subscription: its QoS, its RETAIN flag, and of a session that keeps QoS 1
// messages only those of QoS 0 (the others come when they are durable).
func (h *handOut) pick(sub *subscription) []Delivery {
	k := int(sub.qos)
	if sub.retainAsPublished {
		k |= 2
	}
	if sub.stored() {
		k |= 4
	}
	if !h.built[k] {
		h.built[k] = true
		h.sets[k] = appendDeliveries(h.sets[k][:0], h.messages, sub)
	}
	return h.sets[k]
}

func appendDeliveries(ds []Delivery, ms []Message, sub *subscription) []Delivery {
	stored := sub.stored()
	for i := range ms {
		m := &ms[i]
		qos := min(m.QoS, sub.qos)
		if stored && qos > 0 {
			continue
		}
		ds = append(ds, Delivery{Message: m, QoS: qos, Retain: m.Retain && sub.retainAsPublished})
	}
	return ds
}

// give delivers, and remembers the link when it is this batch's to flush.
func (h *handOut) give(c *Connection, ds []Delivery, shared bool) (took int) {
	took, flush := c.deliver(ds, shared)
	if flush {
		h.touched = append(h.touched, c.link)
	}
	return took
}

// flush flushes each touched link once.
func (h *handOut) flush() {
	for i, l := range h.touched {
		if l.Flush() {
			h.slow = append(h.slow, l)
		}
		h.touched[i] = nil
	}
	h.touched = h.touched[:0]
	h.messages = nil
}

// Congested are the receivers of the caller's last batch that are over their high-water mark. The slice is valid until
// the next Publish.
func (c *Caller) Congested() []Link { return c.scratch.slow }
