package modem

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// Verb is what a command asks for.
type Verb uint8

// The commands of the reference manual that are understood. Everything else is answered with ERROR.
const (
	Bad         Verb = iota // not understood; Command.Why says why
	Attention               // AT, and +++ which leaves the data mode
	Product                 // AT$I=0: what this is
	Library                 // AT/L: which firmware
	ID                      // AT$I=10
	PAC                     // AT$I=11
	Frame                   // AT$SF=<hex>[,1]
	Bit                     // AT$SB=0 or 1[,1]
	Temperature             // AT$TM? or AT$T?
	Voltage                 // AT$V?
)

// FrameBytes is the most that a frame carries.
const FrameBytes = 12

// Command is one that came over the line.
type Command struct {
	Verb     Verb
	Data     []byte // of a Frame: 1 to 12 bytes
	Bit      bool   // of a Bit
	Downlink bool   // the frame asks for an answer
	Line     string // as it came
	Why      string // it is Bad
}

// fixed are the commands that are always the same.
var fixed = map[string]Verb{
	"AT": Attention, "+++": Attention, "AT$I=0": Product, "AT/L": Library, "AT$I=10": ID, "AT$I=11": PAC,
	"AT$TM?": Temperature, "AT$T?": Temperature, "AT$V?": Voltage,
}

// parseCommand reads a line without its CR. Letters may be of either case, as V.250 (5.2.1) wants it of every modem.
func parseCommand(line string) Command {
	c := Command{Line: line}
	upper := strings.ToUpper(line)
	if verb, ok := fixed[upper]; ok {
		c.Verb = verb
		return c
	}
	switch value, isFrame := strings.CutPrefix(upper, "AT$SF="); {
	case isFrame:
		c.frame(value)
	case strings.HasPrefix(upper, "AT$SB="):
		c.bit(strings.TrimPrefix(upper, "AT$SB="))
	default:
		c.Why = "it is no command of this modem"
	}
	return c
}

func (c *Command) frame(value string) {
	digits, ok := c.downlink(value)
	if !ok {
		return
	}
	if strings.ContainsFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789ABCDEF", r) }) {
		c.Why = "its payload is not hexadecimal"
		return
	}
	if len(digits)%2 != 0 {
		c.Why = fmt.Sprintf("its payload has %d hex digits, which is no whole number of bytes; a byte below 0x10 needs its leading zero, which "+
			"Arduino's print(x, HEX) leaves out", len(digits))
		return
	}
	data, err := hex.DecodeString(digits)
	if err != nil || len(data) == 0 || len(data) > FrameBytes {
		c.Why = fmt.Sprintf("its payload has %d bytes; a frame carries 1 to %d", len(data), FrameBytes)
		return
	}
	c.Verb, c.Data = Frame, data
}

func (c *Command) bit(value string) {
	bit, ok := c.downlink(value)
	if !ok {
		return
	}
	if bit != "0" && bit != "1" {
		c.Why = "its bit is neither 0 nor 1"
		return
	}
	c.Verb, c.Bit = Bit, bit == "1"
}

// downlink takes the request for a downlink off: ,1 or, as without it, ,0.
func (c *Command) downlink(value string) (rest string, ok bool) {
	rest, flag, has := strings.Cut(value, ",")
	if has && flag != "0" && flag != "1" {
		c.Why = "what follows the comma is neither 0 nor 1"
		return "", false
	}
	c.Downlink = flag == "1"
	return rest, true
}
