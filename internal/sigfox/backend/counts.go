package backend

import "sync/atomic"

// Counts are what the backend has done since it was opened, and what it has before it.
type Counts struct {
	Uplinks, Refused   atomic.Int64 // frames that were taken, and that were not
	Delivered, Failing atomic.Int64 // attempts by what they came to
	Retries            atomic.Int64 // attempts that were put off
	Undelivered        atomic.Int64 // deliveries that were given up after the last attempt
	GivenUp            atomic.Int64 // deliveries to callbacks that were deleted or disabled
	Pending            atomic.Int64 // deliveries that are owed now

	// Downlinks by what became of them.
	DownlinksSent, DownlinksFailed atomic.Int64
}

func (c *Counts) attempted(ok bool) {
	if ok {
		c.Delivered.Add(1)
	} else {
		c.Failing.Add(1)
	}
}

func (c *Counts) settled(d *Downlink) {
	if d.InfoCode == Acked {
		c.DownlinksSent.Add(1)
	} else {
		c.DownlinksFailed.Add(1)
	}
}
