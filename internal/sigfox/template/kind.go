package template

import (
	"fmt"
	"slices"
)

// Kind is when a callback fires, by the codes of Sigfox's API: callbackType and callbackSubtype.
type Kind struct{ Type, Subtype int }

// The kinds. An event is configured elsewhere than the callbacks of a device type and has no code there; its number is ours.
var (
	Uplink       = Kind{0, 2} // a message came
	Bidir        = Kind{0, 3} // the same, and the answer may carry a downlink
	Status       = Kind{1, 0} // a modem told its temperature and voltage
	Geoloc       = Kind{1, 1} // legacy
	Acknowledge  = Kind{1, 4} // the fate of a downlink is known
	Repeater     = Kind{1, 5} // a repeater told of itself
	DataAdvanced = Kind{1, 6} // all receptions of a message are known
	Error        = Kind{2, 0} // silent for longer than its keep-alive, or a station is down
	Event        = Kind{3, 0} // something happened in the backend
)

// form is what a variable holds.
type form uint8

const (
	text      form = iota + 1
	number         // JSON writes it without quotes
	boolean        // true or false
	structure      // a JSON array or object
)

// variable is one that a kind offers.
type variable struct {
	name       string
	form       form
	deprecated bool // still rendered: every old tutorial has them
}

// kindRow is what is known of a kind.
type kindRow struct {
	kind      Kind
	name      string
	variables []variable
	custom    bool // it has a payload, and so {customData#name}
	jsonOnly  bool
}

func current(f form, names ...string) []variable {
	all := make([]variable, len(names))
	for i, name := range names {
		all[i] = variable{name: name, form: f}
	}
	return all
}

func deprecated(f form, names ...string) []variable {
	all := current(f, names...)
	for i := range all {
		all[i].deprecated = true
	}
	return all
}

// radio are the readings of one station, which contracts with the option NETWORK METADATA have; else null.
var radio = slices.Concat(current(number, "snr", "rssi"), current(text, "station"))

var legacyRadio = slices.Concat(deprecated(boolean, "duplicate"), deprecated(number, "avgSnr", "lat", "lng"))

var uplinkVariables = slices.Concat(current(text, "device"), current(number, "time"), current(text, "data"),
	current(number, "seqNumber"), current(text, "deviceTypeId"), radio, legacyRadio)

// kindRows are the kinds with their variables, in the documentation's order.
var kindRows = []kindRow{
	{kind: Uplink, name: "DATA/UPLINK", variables: uplinkVariables, custom: true},
	{kind: Bidir, name: "DATA/BIDIR", variables: slices.Concat(uplinkVariables, current(boolean, "ack", "longPolling")), custom: true},
	{kind: Status, name: "SERVICE/STATUS", variables: slices.Concat(current(text, "device"), current(number, "time", "temp", "batt", "seqNumber"),
		current(text, "deviceTypeId"), legacyRadio, deprecated(number, "snr", "rssi"), deprecated(text, "station"))},
	{kind: Geoloc, name: "SERVICE/GEOLOC", variables: slices.Concat(current(text, "device"), current(number, "time"), current(text, "data"),
		current(number, "seqNumber", "lat", "lng", "radius", "geolocSource"))},
	{kind: Acknowledge, name: "SERVICE/ACKNOWLEDGE", variables: slices.Concat(current(text, "device"), current(number, "time"),
		current(text, "deviceTypeId"), current(number, "infoCode"), current(text, "infoMessage"), current(boolean, "downlinkAck", "downlinkOverusage"))},
	{kind: Repeater, name: "SERVICE/REPEATER", variables: slices.Concat(current(text, "device"), current(number, "time"), current(text, "data"),
		current(number, "seqNumber"), radio)},
	{kind: DataAdvanced, name: "SERVICE/DATA_ADVANCED", variables: slices.Concat(current(text, "device"), current(number, "time"),
		current(text, "data"), current(number, "seqNumber"), current(text, "deviceTypeId", "lqi"), current(number, "linkQuality", "fixedLat", "fixedLng"),
		current(text, "operatorName"), current(number, "countryCode"), current(structure, "duplicates", "computedLocation")), custom: true, jsonOnly: true},
	{kind: Error, name: "ERROR", variables: slices.Concat(current(text, "device", "deviceTypeId"), current(number, "time"), current(text, "info", "severity"))},
	{kind: Event, name: "EVENT", variables: slices.Concat(current(number, "time"), current(text, "severity", "eventType", "sourceId", "sourceType",
		"deviceTypeId", "groupId", "deviceInfo"), current(number, "deviceMessageTime", "deviceLastSeqnumber", "deviceMessageSeqnumber",
		"deviceExpectedSeqnumber"), current(text, "deviceShortCause", "deviceCause", "networkOperatorId", "businessOperatorId", "contractId"),
		current(structure, "contractIds"), current(text, "subscriptionState"), current(number, "contractExpectedEndTime", "tokenExpectedEndTime"))},
}

func (k Kind) row() (kindRow, bool) {
	if k.Type == Error.Type {
		k = Error // it has no subtypes; whatever is sent for one means nothing
	}
	i := slices.IndexFunc(kindRows, func(r kindRow) bool { return r.kind == k })
	if i < 0 {
		return kindRow{}, false
	}
	return kindRows[i], true
}

// Known reports whether Sigfox has this kind.
func (k Kind) Known() bool {
	_, ok := k.row()
	return ok
}

// String is the name in Sigfox's documentation, as in DATA/UPLINK.
func (k Kind) String() string {
	if row, ok := k.row(); ok {
		return row.name
	}
	return fmt.Sprintf("%d/%d", k.Type, k.Subtype)
}

// Variables are the names that templates of this kind may use, without braces; nil of an unknown kind. The fields of a
// payload config come on top if HasPayload.
func (k Kind) Variables() []string {
	row, _ := k.row()
	var names []string
	for _, v := range row.variables {
		names = append(names, v.name)
	}
	return names
}

// IsText reports whether the value of a variable is text, which JSON writes in quotes.
func (k Kind) IsText(name string) bool {
	row, _ := k.row()
	i := slices.IndexFunc(row.variables, func(v variable) bool { return v.name == name })
	return i >= 0 && row.variables[i].form == text
}

// HasPayload reports whether messages of this kind have a payload to decode, and templates so {customData#name}.
func (k Kind) HasPayload() bool {
	row, _ := k.row()
	return row.custom
}

// JSONOnly reports whether callbacks of this kind must have a JSON body.
func (k Kind) JSONOnly() bool {
	row, _ := k.row()
	return row.jsonOnly
}
