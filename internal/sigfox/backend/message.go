package backend

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thingwire/thingwire/internal/fault"
)

// MaxPayload is how many bytes an uplink has at most.
const MaxPayload = 12

// maxReceptions bounds what is kept of one message. Real ones have a handful.
const maxReceptions = 100

// dailyMessages is how many messages a device may send in a day (reference, section 11); more are kept and marked.
const dailyMessages = 140

// Frame is what a radio sends, as the base stations hear it.
type Frame struct {
	Device string
	Data   []byte    // 0 to 12 bytes
	Time   time.Time // of reception; now when zero
	Seq    *int      // 0 to 4095; the next one when nil
	Ack    bool      // the device asks for a downlink
	Radio
	OOB *OOB // a service frame of the modem instead of data
}

// Radio is what the network knows of a reception; what is not known renders as null.
type Radio struct {
	Station    string      `json:"station,omitempty"` // up to 8 hexadecimal digits
	RSSI       *float64    `json:"rssi,omitempty"`    // dBm
	SNR        *float64    `json:"snr,omitempty"`     // dB
	Receptions []Reception `json:"duplicates,omitempty"`
	Location   *Location   `json:"computedLocation,omitempty"`
}

// Reception is what one base station heard: an element of {duplicates}.
type Reception struct {
	Station string  `json:"bsId"`
	RSSI    float64 `json:"rssi"`
	Repeats int     `json:"nbRep"`
	SNR     float64 `json:"snr"`
}

// Location is where the network thinks that the device is: {computedLocation}.
type Location struct {
	Lat    float64 `json:"lat"`
	Lng    float64 `json:"lng"`
	Radius int     `json:"radius"` // metres
	Source int     `json:"source"`
	Status int     `json:"status"` // 1 ok, 0 not computed
}

// OOB is what a modem tells of itself out of band.
type OOB struct {
	Temperature float64 `json:"temp"` // °C
	Battery     float64 `json:"batt"` // V
}

// Message is one uplink as it is kept.
type Message struct {
	Device     string    `json:"device"`
	Number     uint64    `json:"number"` // counts the device's messages; some numbers may be missing
	DeviceType string    `json:"deviceTypeId"`
	Time       time.Time `json:"time"`
	Data       string    `json:"data"` // lower-case hexadecimal digits
	Seq        int       `json:"seqNumber"`
	Ack        bool      `json:"ackRequired,omitempty"`
	OverQuota  bool      `json:"overQuota,omitempty"` // more than 140 on its day
	Withheld   string    `json:"withheld,omitempty"`  // why no callback was told, empty if they were
	OOB        *OOB      `json:"oob,omitempty"`
	Radio

	// Callbacks are those that the message fired when it came.
	Callbacks []string `json:"callbacks,omitempty"`
}

func (m *Message) key() string { return messageKey(m.Device, m.Number) }

// Bytes is the payload.
func (m *Message) Bytes() []byte {
	data, err := hex.DecodeString(m.Data)
	if err != nil {
		return nil // it was written by Uplink
	}
	return data
}

func (f *Frame) check() error {
	switch {
	case len(f.Data) > MaxPayload:
		return bad("data", "the payload has %d bytes", len(f.Data)).WithRemedy("a Sigfox uplink has 0 to %d bytes", MaxPayload)
	case f.Seq != nil && (*f.Seq < 0 || *f.Seq >= seqModulus):
		return bad("seqNumber", "the sequence number is %d", *f.Seq).WithRemedy("it has 12 bits: 0 to %d", seqModulus-1)
	case f.OOB != nil && (len(f.Data) > 0 || f.Ack):
		return bad("oob", "a service frame has neither data nor a request for a downlink")
	case len(f.Receptions) > maxReceptions:
		return bad("duplicates", "%d base stations heard the message", len(f.Receptions)).WithRemedy("name at most %d", maxReceptions)
	case !f.finite():
		return bad("rssi", "a measurement is not a number")
	case f.Time.Year() > 9999 || !f.Time.IsZero() && f.Time.Unix() < 0:
		return bad("time", "the time is %s", f.Time)
	}
	for _, station := range append([]Reception{{Station: f.Station}}, f.Receptions...) {
		if s := strings.ToUpper(station.Station); len(s) > 8 || strings.Trim(s, hexDigits) != "" {
			return bad("station", "%q is no base station", station.Station).WithRemedy("use up to 8 hexadecimal digits")
		}
	}
	return nil
}

// finite reports whether all measurements are numbers, which JSON wants.
func (f *Frame) finite() bool {
	var all []float64
	for _, x := range []*float64{f.RSSI, f.SNR} {
		if x != nil {
			all = append(all, *x)
		}
	}
	for _, r := range f.Receptions {
		all = append(all, r.RSSI, r.SNR)
	}
	if l := f.Location; l != nil {
		all = append(all, l.Lat, l.Lng)
	}
	if o := f.OOB; o != nil {
		all = append(all, o.Temperature, o.Battery)
	}
	return !slices.ContainsFunc(all, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// ParseData reads a payload from hexadecimal digits.
func ParseData(text string) ([]byte, error) {
	data, err := hex.DecodeString(text)
	switch {
	case err == nil:
		return data, nil
	case len(text)%2 != 0:
		return nil, bad("data", "the payload has %d hexadecimal digits, an odd number", len(text)).WithRemedy("write each byte with two digits: 05, not 5")
	}
	return nil, bad("data", "%q is not hexadecimal", text)
}

// Link quality indicators in the order of {linkQuality} (reference, 4.2).
const lqiNA = 4

var lqiNames = [...]string{"LIMIT", "AVERAGE", "GOOD", "EXCELLENT", "NA"}

// LQI is the link quality indicator of a reception: 0 LIMIT, 1 AVERAGE, 2 GOOD, 3 EXCELLENT, 4 NA (reference, section 12). It
// is made from the strength of the signal: Sigfox does not say how it makes it.
func (r *Radio) LQI() int {
	switch {
	case r.RSSI == nil:
		return lqiNA
	case *r.RSSI >= -114:
		return 3
	case *r.RSSI >= -127:
		return 2
	case *r.RSSI >= -135:
		return 1
	}
	return 0
}

// common are the facts that all kinds have.
func (m *Message) common() facts {
	return facts{
		"device": m.Device, "deviceTypeId": m.DeviceType, "time": strconv.FormatInt(m.Time.Unix(), 10),
		"seqNumber": strconv.Itoa(m.Seq), "duplicate": "false",
	}
}

// dataFacts are those of DATA (reference, 4.1). avgSnr, lat and lng are deprecated and stay null.
func (m *Message) dataFacts() facts {
	f := m.common()
	f["data"], f["ack"], f["longPolling"] = m.Data, strconv.FormatBool(m.Ack), "false"
	f.radio(&m.Radio)
	return f
}

func (f facts) radio(r *Radio) {
	if r.Station != "" {
		f["station"] = r.Station
	}
	if r.RSSI != nil {
		f["rssi"] = decimals(*r.RSSI)
	}
	if r.SNR != nil {
		f["snr"] = decimals(*r.SNR)
	}
}

func decimals(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// oobFacts are those of STATUS.
func (m *Message) oobFacts() facts {
	f := m.common()
	f["temp"], f["batt"] = decimals(m.OOB.Temperature), decimals(m.OOB.Battery)
	f.radio(&m.Radio)
	return f
}

// advancedFacts are those of DATA_ADVANCED (reference, 4.2).
func (m *Message) advancedFacts(d *Device) facts {
	f := m.common()
	f["data"] = m.Data
	lqi := m.LQI()
	f["lqi"], f["linkQuality"] = lqiNames[lqi], strconv.Itoa(lqi)
	if p := d.Position; p != nil {
		f["fixedLat"], f["fixedLng"] = coordinate(p.Lat), coordinate(p.Lng)
	}
	if len(m.Receptions) > 0 {
		f["duplicates"] = asJSON(m.Receptions)
	}
	if m.Location != nil {
		f["computedLocation"] = asJSON(m.Location)
	}
	return f
}

func coordinate(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null" // a number that JSON cannot say
	}
	return string(text)
}

// withheld says why the callbacks of a device are not told of its messages.
func (d *Device) withheld() string {
	switch d.State {
	case DeviceOffContract:
		return "the device is off contract"
	case DeviceDisabled:
		return "the device is disabled"
	case DeviceSuspended:
		return "the device is suspended"
	}
	return ""
}

// errNoMessage is what an unknown message is answered.
func errNoMessage(device string, n uint64) error {
	return fault.New(fault.NotFound, "device %s has no message %d", device, n)
}
