package backend

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// The layout in the store, format 1. Values are JSON; a key's parts are separated by slashes, which no id holds. DEVICE is
// a device id filled up to eight hexadecimal digits. NUMBER counts a device's messages from 1 and is written as 16
// hexadecimal digits of its complement, so that the newest comes first and the one that is to go has a known key. TIME is
// milliseconds since 1970 as 16 hexadecimal digits.
//
//	sigfox/meta              format                       the number of this layout
//	sigfox/device-types      TYPE                         DeviceType
//	sigfox/type-names        NAME                         the id of the device type with that name
//	sigfox/devices           DEVICE                       Device
//	sigfox/type-devices      TYPE/DEVICE                  nothing: the devices of a type
//	sigfox/lives             DEVICE                       life: counters of a device and the downlink that waits for it, written
//	                                                      with each message
//	sigfox/callbacks         TYPE/CALLBACK                Callback
//	sigfox/drafts            TYPE/DRAFT                   Draft: the external id of a callback that is not saved yet
//	sigfox/callback-states   CALLBACK                     callbackState: whether its last use failed, when that was told
//	sigfox/messages          DEVICE/NUMBER                Message
//	sigfox/results           DEVICE/NUMBER/CALLBACK       Result: the first and the latest attempt of a callback
//	sigfox/downlinks         DEVICE/NUMBER                Downlink: of a message that asked for one
//	sigfox/due               CALLBACK/TIME/DEVICE/COUNT   debt: a delivery that is owed, by when it is to be tried; COUNT is the
//	                                                      number as it is, so that older messages come first
//	sigfox/timers            TIME/settle/DEVICE/NUMBER    nothing: when a downlink's fate is told
//	                         TIME/silent/DEVICE           nothing: when a device's silence is looked at
//	sigfox/undelivered       TYPE/NUMBER                  Undelivered; NUMBER counts those of the type
//
// The documents of one message are written in one commit, and so is what an attempt came to together with the debt that it
// settles.
const (
	metaBucket           = "sigfox/meta"
	deviceTypesBucket    = "sigfox/device-types"
	typeNamesBucket      = "sigfox/type-names"
	devicesBucket        = "sigfox/devices"
	typeDevicesBucket    = "sigfox/type-devices"
	livesBucket          = "sigfox/lives"
	callbacksBucket      = "sigfox/callbacks"
	draftsBucket         = "sigfox/drafts"
	callbackStatesBucket = "sigfox/callback-states"
	messagesBucket       = "sigfox/messages"
	resultsBucket        = "sigfox/results"
	downlinksBucket      = "sigfox/downlinks"
	dueBucket            = "sigfox/due"
	timersBucket         = "sigfox/timers"
	undeliveredBucket    = "sigfox/undelivered"

	formatKey = "format"
	format    = 1
)

// always is the condition of what only its owner writes: whoever holds the device, or the one attempt of a delivery.
var always = store.Condition{}

// checkFormat writes the number of the layout into a fresh store and refuses a newer one.
func checkFormat(ctx context.Context, s store.Store) error {
	d, err := s.Get(ctx, metaBucket, formatKey)
	if fault.Is(err, fault.NotFound) {
		err = documents.Commit(s, store.DocOp{
			Bucket: metaBucket, Key: formatKey, Value: strconv.AppendInt(nil, format, 10), If: documents.Absent,
		})
		if fault.Is(err, fault.Conflict) {
			return checkFormat(ctx, s) // another node was faster
		}
		return err
	}
	if err != nil {
		return err
	}
	return formatOf(d)
}

func formatOf(d store.Doc) error {
	if n, err := strconv.Atoi(string(d.Value)); err != nil || n != format {
		return fault.New(fault.Unsupported, "the Sigfox backend in this store has format %q, this thingwire knows format %d", d.Value, format).
			WithRemedy("use the thingwire that wrote it, or a newer one")
	}
	return nil
}

// deviceKey is a device id as keys have it: ids sort by their numbers.
func deviceKey(id string) string { return strings.Repeat("0", max(0, 8-len(id))) + id }

// numberKey puts the newest first.
func numberKey(n uint64) string { return fmt.Sprintf("%016x", ^n) }

// numberOf reads what numberKey wrote.
func numberOf(key string) (uint64, bool) {
	n, err := strconv.ParseUint(key, 16, 64)
	return ^n, err == nil && len(key) == 16
}

func messageKey(device string, n uint64) string { return deviceKey(device) + "/" + numberKey(n) }

func timeKey(t time.Time) string { return fmt.Sprintf("%016x", max(0, t.UnixMilli())) }

// timeOf reads what timeKey wrote.
func timeOf(key string) (time.Time, bool) {
	ms, err := strconv.ParseInt(key, 16, 64)
	return time.UnixMilli(ms), err == nil && len(key) == 16
}
