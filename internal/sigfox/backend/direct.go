package backend

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
)

// downlinkBytes is how long every downlink is.
const downlinkBytes = 8

// direct is a downlink of mode DIRECT: pieces of bytes, and variables that stand for some (reference, section 10).
type direct struct{ pieces []directPiece }

type directPiece struct {
	bytes    []byte
	variable string // tapId, time, rssi; empty for bytes
}

// directSizes are how many bytes the variables stand for.
var directSizes = map[string]int{"tapId": 4, "time": 4, "rssi": 2}

func parseDirect(text string) (*direct, error) {
	d, size := &direct{}, 0
	for rest := text; rest != ""; {
		fixed, after, found := strings.Cut(rest, "{")
		data, err := hex.DecodeString(fixed)
		if err != nil {
			return nil, bad("downlinkDataString", "%q is not made of whole bytes in hexadecimal digits", fixed).WithRemedy("write for instance %s", DefaultDirect)
		}
		d.pieces = append(d.pieces, directPiece{bytes: data})
		size += len(data)
		if rest = after; !found {
			break
		}
		name, after, found := strings.Cut(rest, "}")
		n, known := directSizes[name]
		if !found || !known {
			return nil, bad("downlinkDataString", "a downlink has no variable {%s}", name).WithRemedy("use {tapId} (4 bytes), {time} (4 bytes) or {rssi} (2 bytes)")
		}
		d.pieces = append(d.pieces, directPiece{variable: name})
		size, rest = size+n, after
	}
	if size != downlinkBytes {
		return nil, bad("downlinkDataString", "the downlink has %d bytes", size).WithRemedy("it is exactly %d; {tapId} and {time} stand for 4 each, {rssi} for 2", downlinkBytes)
	}
	return d, nil
}

// render is the downlink that answers a message: 16 lower-case hexadecimal digits. What is not known is 0.
func (d *direct) render(m *Message, now time.Time) string {
	data := make([]byte, 0, downlinkBytes)
	for _, p := range d.pieces {
		switch p.variable {
		case "tapId":
			station, _ := strconv.ParseUint(m.Station, 16, 32) // empty, or checked when it came
			data = binary.BigEndian.AppendUint32(data, uint32(station))
		case "time":
			data = binary.BigEndian.AppendUint32(data, uint32(now.Unix()))
		case "rssi":
			rssi := 0.0
			if m.RSSI != nil {
				rssi = *m.RSSI
			}
			data = binary.BigEndian.AppendUint16(data, uint16(int16(math.Round(max(math.MinInt16, min(rssi, math.MaxInt16))))))
		default:
			data = append(data, p.bytes...)
		}
	}
	return hex.EncodeToString(data)
}
