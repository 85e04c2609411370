package backend

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/thingwire/thingwire/internal/store/documents"
)

// Undelivered is one line of "callbacks not delivered" (reference, section 12).
type Undelivered struct {
	Device     string            `json:"deviceId"`
	DeviceType string            `json:"deviceTypeId"`
	Number     uint64            `json:"number,omitempty"` // of the message
	Time       time.Time         `json:"time"`             // of the message
	Data       string            `json:"data,omitempty"`
	Callback   string            `json:"callback"`
	Kind       string            `json:"kind"`
	Definition string            `json:"cbDef"`
	Latest     *Attempt          `json:"latest"`
	Attempts   int               `json:"attempts"`
	Parameters map[string]string `json:"parameters"` // the variables
}

// Status is the status as the API of the list has it: text.
func (u *Undelivered) Status() string { return strconv.Itoa(u.Latest.Status) }

// numbering numbers what is not delivered, per device type: the newest number is read once.
type numbering struct {
	mu   sync.Mutex
	last map[string]uint64
}

func (n *numbering) next(ctx context.Context, b *Backend, typeID string) (uint64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, ok := n.last[typeID]
	if !ok {
		for d, err := range b.cfg.Store.List(ctx, undeliveredBucket, typeID+"/", "", 1) {
			if err != nil {
				return 0, err // a number that was given already would take the place of a line
			}
			last, _ = numberOf(d.Key[len(typeID)+1:])
		}
	}
	n.last[typeID] = last + 1
	return last + 1, nil
}

// undelivered lists a delivery that was given up, and forgets the one that is too old for the list.
func (p *posting) undelivered(c *compiled, i *item, a *Attempt, attempts int) {
	n, err := p.b.undelivered.next(p.b.ctx, p.b, i.DeviceType)
	if err != nil {
		p.err = err
		return
	}
	p.put(undeliveredBucket, i.DeviceType+"/"+numberKey(n), &Undelivered{
		Device: i.Device, DeviceType: i.DeviceType, Number: i.Number, Time: i.Time, Data: i.Data, Callback: c.ID, Kind: c.Kind().String(),
		Definition: c.Definition(), Latest: a, Attempts: attempts, Parameters: i.Facts,
	})
	if keep := uint64(p.b.cfg.KeepUndelivered); n > keep {
		p.remove(undeliveredBucket, i.DeviceType+"/"+numberKey(n-keep))
	}
	p.b.counts.Undelivered.Add(1)
}

// UndeliveredQuery says which of them are asked for; what is empty does not narrow.
type UndeliveredQuery struct {
	DeviceType    string // required unless Device is given
	Device        string
	Callback      string
	Since, Before time.Time // of the message
}

// NotDelivered lists what was given up, the newest first.
func (b *Backend) NotDelivered(ctx context.Context, q UndeliveredQuery, p Page) (all []Undelivered, next string, err error) {
	if q.Device != "" {
		d, _, err := b.loadDevice(ctx, q.Device)
		if err != nil {
			return nil, "", err
		}
		q.Device = d.ID
		if q.DeviceType == "" {
			q.DeviceType = d.DeviceType
		}
	}
	if _, _, err := b.loadType(ctx, q.DeviceType); err != nil {
		return nil, "", err
	}
	prefix, after, last := q.DeviceType+"/", "", ""
	if p.After != "" {
		after = prefix + p.After
	}
	for d, err := range b.cfg.Store.List(ctx, undeliveredBucket, prefix, after, 0) {
		if err != nil {
			return nil, "", err
		}
		u, err := documents.Decode[Undelivered](undeliveredBucket, d)
		if err != nil {
			return nil, "", err
		}
		if !q.wants(u) {
			continue
		}
		if len(all) == p.limit() {
			return all, last, nil
		}
		all, last = append(all, *u), strings.TrimPrefix(d.Key, prefix)
	}
	return all, "", nil
}

func (q *UndeliveredQuery) wants(u *Undelivered) bool {
	return (q.Device == "" || u.Device == q.Device) && (q.Callback == "" || u.Callback == q.Callback) &&
		(q.Since.IsZero() || !u.Time.Before(q.Since)) && (q.Before.IsZero() || u.Time.Before(q.Before))
}
