package receive

import (
	"context"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
	"github.com/thingwire/thingwire/internal/store"
	"github.com/thingwire/thingwire/internal/store/documents"
)

// The layout in the store, format 1. Values are JSON. DEVICE is a device id in upper case without leading zeros.
//
//	sigfox-receive/meta        format            the number of this layout
//	sigfox-receive/endpoints   NAME              endpointDoc
//	sigfox-receive/downlinks   NAME/DEVICE       Downlink: what waits for the device
//	sigfox-receive/taken       NAME/DEVICE       taken: the retained message that was answered last
const (
	format = "1"

	metaBucket      = "sigfox-receive/meta"
	endpointsBucket = "sigfox-receive/endpoints"
	downlinksBucket = "sigfox-receive/downlinks"
	takenBucket     = "sigfox-receive/taken"

	formatKey = "format"
)

// endpointDoc is an endpoint as it is kept.
type endpointDoc struct {
	Endpoint
	Secret []byte `json:"secretSHA256"`
}

// Downlink is what waits for a device.
type Downlink struct {
	Data    string    `json:"data"` // 16 hexadecimal digits
	Queued  time.Time `json:"queued"`
	Expires time.Time `json:"expires,omitzero"` // never when zero
}

// taken is the retained message that was answered last: when it was published, in milliseconds since 1970, and what it
// said, for two may be of one millisecond.
type taken struct {
	Time int64  `json:"time"`
	Data string `json:"data"`
}

func checkFormat(ctx context.Context, s store.Store) error {
	d, err := s.Get(ctx, metaBucket, formatKey)
	if fault.Is(err, fault.NotFound) {
		return documents.Commit(s, store.DocOp{Bucket: metaBucket, Key: formatKey, Value: []byte(format)})
	}
	if err != nil {
		return err
	}
	return formatOf(d)
}

func formatOf(d store.Doc) error {
	if string(d.Value) != format {
		return fault.New(fault.Unsupported, "the receiving endpoints have format %.20q, this thingwire knows format %s", d.Value, format).
			WithRemedy("use the thingwire that wrote them")
	}
	return nil
}
