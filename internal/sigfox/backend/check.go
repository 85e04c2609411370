package backend

import (
	"context"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// Check reads all documents of a Sigfox backend and says in words what it could not work with: documents that cannot be
// understood or that stand under another key, callbacks that cannot be compiled, debts and indexes that name what is not
// there. An error is one of reading.
func Check(ctx context.Context, s store.Docs) (problems []string, err error) {
	c := checker{Checker: documents.Checker{Context: ctx, Store: s}, types: map[string]string{}, devices: map[string]string{}}
	for _, part := range []func() error{c.format, c.configured, c.indexes, c.messages, c.owed} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return c.Problems, nil
}

type checker struct {
	documents.Checker
	types   map[string]string // name of each device type, by id
	devices map[string]string // device type of each device, by key
}

// format accepts a store in which no backend was ever opened.
func (c *checker) format() error {
	d, err := c.Store.Get(c.Context, metaBucket, formatKey)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	}
	if err := formatOf(d); err != nil {
		c.Problem("%s", err)
	}
	return nil
}

// each reads the documents of a bucket, and compares the key that a document belongs under with the one it has.
func each[T any](c *checker, bucket string, look func(key string, v *T) (belongs string)) error {
	return c.Each(bucket, func(d store.Doc) {
		v, err := documents.Decode[T](bucket, d)
		if err != nil {
			c.Problem("%s", err)
			return
		}
		if belongs := look(d.Key, v); belongs != d.Key {
			c.Problem("document %q of %s belongs under %q", d.Key, bucket, belongs)
		}
	})
}

// configured checks device types, devices and callbacks.
func (c *checker) configured() error {
	err := each(c, deviceTypesBucket, func(_ string, t *DeviceType) string {
		c.types[t.ID] = t.Name
		if err := t.check(); err != nil {
			c.Problem("Sigfox device type %q: %s", t.ID, err)
		}
		return t.ID
	})
	if err != nil {
		return err
	}
	err = each(c, devicesBucket, func(_ string, d *Device) string {
		c.devices[deviceKey(d.ID)] = d.DeviceType
		c.wantType("Sigfox device "+d.ID, d.DeviceType)
		return deviceKey(d.ID)
	})
	if err != nil {
		return err
	}
	err = each(c, callbacksBucket, func(_ string, k *Callback) string {
		c.wantType("Sigfox callback "+k.ID, k.DeviceType)
		if _, err := compile(k); err != nil {
			c.Problem("Sigfox callback %q cannot be used: %s", k.ID, err)
		}
		return k.key()
	})
	if err != nil {
		return err
	}
	return each(c, draftsBucket, func(_ string, d *Draft) string {
		c.wantType("Sigfox draft "+d.ID, d.DeviceType)
		return d.key()
	})
}

func (c *checker) wantType(what, id string) {
	if _, ok := c.types[id]; !ok {
		c.Problem("%s is of device type %q, which is not there", what, id)
	}
}

// indexes checks that names and memberships are those of what is there, and the other way round.
func (c *checker) indexes() error {
	names := map[string]bool{}
	err := each(c, typeNamesBucket, func(name string, id *string) string {
		names[name] = true
		if got, ok := c.types[*id]; !ok || got != name {
			c.Problem("%s has %q for device type %q, which has another name or is not there", typeNamesBucket, name, *id)
		}
		return name
	})
	if err != nil {
		return err
	}
	for id, name := range c.types {
		if !names[name] {
			c.Problem("Sigfox device type %q is not in %s", id, typeNamesBucket)
		}
	}
	members := map[string]string{}
	err = c.Each(typeDevicesBucket, func(d store.Doc) {
		typeID, device, _ := strings.Cut(d.Key, "/")
		members[device] = typeID
		if c.devices[device] != typeID {
			c.Problem("%s has %q, which is not so", typeDevicesBucket, d.Key)
		}
	})
	for device, typeID := range c.devices {
		if members[device] != typeID {
			c.Problem("Sigfox device %q is not in %s", device, typeDevicesBucket)
		}
	}
	return err
}

// messages checks what belongs to devices.
func (c *checker) messages() error {
	err := each(c, messagesBucket, func(_ string, m *Message) string {
		c.wantDevice(messagesBucket, deviceKey(m.Device))
		return m.key()
	})
	if err != nil {
		return err
	}
	for _, part := range []func() error{
		func() error {
			return each(c, livesBucket, func(key string, l *life) string {
				c.wantDevice(livesBucket, key)
				if q := l.Queued; q != nil {
					if _, err := checkDownlink(q.Data); err != nil {
						c.Problem("the downlink that waits for device %q: %s", key, err)
					}
				}
				return key
			})
		},
		func() error {
			return each(c, resultsBucket, func(key string, r *Result) string {
				at := strings.LastIndexByte(key, '/')
				return key[:max(at, 0)] + "/" + r.Callback
			})
		},
		func() error {
			return each(c, downlinksBucket, func(key string, d *Downlink) string {
				if d.InfoCode < 0 || d.InfoCode >= len(infoMessages) || d.Verdict < 0 || d.Verdict >= len(infoMessages) {
					c.Problem("downlink %q has an info code that is none", key)
				}
				return key
			})
		},
		func() error {
			return each(c, callbackStatesBucket, func(key string, _ *callbackState) string { return key })
		},
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) wantDevice(bucket, key string) {
	if _, ok := c.devices[key]; !ok {
		c.Problem("%s has %q, and there is no such device", bucket, key)
	}
}

// owed checks what the backend goes by after a start.
func (c *checker) owed() error {
	err := each(c, dueBucket, func(key string, d *debt) string {
		callback, due, ok := dueOf(key)
		if !ok {
			c.Problem("%s has %q, whose time cannot be read", dueBucket, key)
		}
		return dueKey(callback, due, d.Device, d.Number)
	})
	if err != nil {
		return err
	}
	err = c.Each(timersBucket, func(d store.Doc) {
		text, rest, _ := strings.Cut(d.Key, "/")
		if _, ok := timeOf(text); !ok || !strings.HasPrefix(rest, settleTimer) && !strings.HasPrefix(rest, silentTimer) {
			c.Problem("%s has %q, which cannot be read", timersBucket, d.Key)
		}
	})
	if err != nil {
		return err
	}
	return each(c, undeliveredBucket, func(key string, u *Undelivered) string {
		_, number, _ := strings.Cut(key, "/")
		if _, ok := numberOf(number); !ok || u.Latest == nil {
			c.Problem("%s has %q, which cannot be read", undeliveredBucket, key)
		}
		return u.DeviceType + "/" + number
	})
}
